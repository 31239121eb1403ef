"""`tvnsearch train`: train one network on clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tvnsearch
from cli.arguments import DeviceOption, GenomeArgument, JsonOption

if TYPE_CHECKING:
    from tvnsearch.api.train import Trained


def train(
    genome: GenomeArgument,
    data: Annotated[str | None, typer.Option("--data", help="PATH or FORMAT:PATH of the clips.")] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="paper, quick, or a TOML file of your own.")
    ] = "paper",
    head: Annotated[
        str | None, typer.Option("--head", help="mean, or per_frame for long videos; else the genome's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The training's folder; one that exists is gone on with.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="GENOME is the folder of a training to go on with, as it began.")
    ] = False,
    device: DeviceOption = "cpu",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="By default as many as there are cores.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Decides every random choice; else the recipe's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a network; what comes out can be evaluated, classified with and exported."""
    from cli.output import print_json, watching
    from tvnsearch.errors import UserError

    with watching() as watch:
        if resume:
            trained = tvnsearch.resume_training(genome, threads=threads, watch=watch)
        elif data is None:
            raise UserError(
                "expected --data with the clips to learn from; `tvnsearch data generate` makes some"
            )
        else:
            trained = tvnsearch.train(
                genome,
                data,
                recipe=recipe,
                head=head,
                out=out,
                device=device,
                threads=threads,
                seed=seed,
                watch=watch,
            )
    if trained is None:
        return
    if as_json:
        print_json(_plain(trained))
        return
    _print_trained(trained)


def _plain(trained: Trained) -> dict[str, Any]:
    from msgspec.structs import asdict

    return {
        "model": trained.model,
        "network": trained.network,
        "data": trained.data,
        **asdict(trained.result),
        "files": trained.files,
    }


def _print_trained(trained: Trained) -> None:
    from cli.output import out

    result = trained.result
    if result.top1 is None:
        scores = f"mAP {100 * (result.mean_average_precision or 0):.1f} %"
    else:
        scores = f"top-1 {100 * result.top1:.1f} %, top-5 {100 * (result.top5 or 0):.1f} %"
    lines = [
        f"{trained.network} trained on {trained.data}: {result.iterations:,} iterations in "
        f"{result.seconds / 60:.1f} minutes, in {result.precision}, loss {result.loss or 0:.3f}",
        f"scores  {scores} on the validation clips; on those that it never saw: "
        f"`tvnsearch eval {trained.model}`",
        *(f"file    {path}" for path in trained.files),
    ]
    if result.parts > 1:
        lines.insert(1, "memory  did not hold a whole batch: each was computed in halves")
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
