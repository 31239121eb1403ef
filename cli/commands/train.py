"""`tvnsearch train`: train one network on clips."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import (
    DeviceOption,
    GenomeArgument,
    JsonOption,
    TrainThreadsOption,
)
from cli.choices import RECIPES, HeadName

if TYPE_CHECKING:
    from tvnsearch.api.train import TrainingRequest
    from tvnsearch.genome.genome import Genome


def _recipe_names() -> list[str]:
    return list(RECIPES)


def train(
    genome: GenomeArgument,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="[FORMAT:]PATH",
            help="The clips to learn from; needed unless a training is gone on with.",
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            help=f"How to train: {', '.join(RECIPES)}, or a TOML file of your own.",
            autocompletion=_recipe_names,
        ),
    ] = "paper",
    head: Annotated[
        HeadName | None,
        typer.Option(
            "--head",
            help="How the head pools: the mean over frames, or per_frame for long videos; by default as in "
            "the genome.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="The folder of the training, gone on with if it exists; by default a new one in runs/.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training in the folder GENOME, as it began.")
    ] = False,
    device: DeviceOption = "cpu",
    threads: TrainThreadsOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", "-s", metavar="N", min=0, help="Decides every random choice; by default the recipe's."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train one network on clips.

    What comes out can be scored (`tvnsearch eval`), classified with and exported.
    """
    from cli.output import print_json, say
    from tvnsearch.api.train import begin, carry_out
    from tvnsearch.errors import UserError
    from tvnsearch.training.team import started_by_torchrun

    if resume:
        folder = Path(genome)
    else:
        if data is None:
            raise UserError(
                "expected --data with the clips to learn from; `tvnsearch data generate` makes some"
            )
        if out is None and started_by_torchrun():
            raise UserError("expected --out, so that all processes of torchrun work in the same folder")
        folder = out or Path("runs") / time.strftime("train-%Y%m%d-%H%M%S")
        begin(_request(genome, data, recipe, head, device, seed), folder)
        say(f"folder: {folder}; after an interruption: tvnsearch train {folder} --resume")
    report = carry_out(folder, threads)
    if report is None:
        return
    if as_json:
        print_json(report)
        return
    _print_report(report)


def _request(
    genome: str, data: str, recipe: str, head: str | None, device: str, seed: int | None
) -> TrainingRequest:
    from msgspec.structs import replace

    from tvnsearch.api.genomes import resolve_genome
    from tvnsearch.api.train import TrainingRequest
    from tvnsearch.data.catalog.address import parse_address
    from tvnsearch.training.recipe import load_recipe

    found = resolve_genome(genome)
    where = parse_address(data)
    wanted = load_recipe(recipe)
    return TrainingRequest(
        network=genome,
        genome=found if head is None else _with_head(found, head),
        data=f"{where.name}:{where.path}",
        recipe=wanted if seed is None else replace(wanted, seed=seed),
        device=device,
    )


def _with_head(genome: Genome, head: str) -> Genome:
    import msgspec

    from tvnsearch.errors import UserError

    try:
        return msgspec.convert({**msgspec.to_builtins(genome), "head": head}, type(genome))
    except msgspec.ValidationError:
        raise UserError(f"expected --head to be mean or per_frame, got '{head}'") from None


def _print_report(report: dict[str, Any]) -> None:
    from cli.output import out

    if report["top1"] is None:
        scores = f"mAP {100 * report['mean_average_precision']:.1f} %"
    else:
        scores = f"top-1 {100 * report['top1']:.1f} %, top-5 {100 * report['top5']:.1f} %"
    lines = [
        f"{report['network']} trained on {report['data']}: {report['iterations']:,} iterations in "
        f"{report['seconds'] / 60:.1f} minutes, in {report['precision']}, loss {report['loss']:.3f}",
        f"scores  {scores} on the validation clips; on those that it never saw: "
        f"`tvnsearch eval {report['model']}`",
        *(f"file    {path}" for path in report["files"]),
    ]
    if report["parts"] > 1:
        lines.insert(1, "memory  did not hold a whole batch: each was computed in halves")
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
