"""`tvnsearch train`: train one network on clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tvnsearch
from cli.arguments import (
    RECIPE_HELP,
    GenomeArgument,
    JsonOption,
    ProcessorOption,
    SplitSeedOption,
    TrainThreadsOption,
    recipe_names,
)
from cli.choices import HeadName, LogName
from tvnsearch.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from tvnsearch.api.train import Trained


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
            help=f"{RECIPE_HELP}.",
            autocompletion=recipe_names,
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
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE|FOLDER",
            help="Weights to begin with: a training, a run (its winner), or a file of safetensors or "
            "torch.save. What fits is taken; the head is new where the classes are others.",
        ),
    ] = None,
    validate_every: Annotated[
        int | None,
        typer.Option(
            "--validate-every",
            metavar="N",
            min=1,
            help="Score the network on the validation clips after every N iterations; by default at the end.",
        ),
    ] = None,
    keep_best: Annotated[
        bool,
        typer.Option(
            "--keep-best",
            help="Hand over the weights that scored best on the validation clips, and not the last.",
        ),
    ] = False,
    with_validation: Annotated[
        bool,
        typer.Option(
            "--with-validation",
            help="Learn from the validation clips too, and score on the test clips: for the last training.",
        ),
    ] = False,
    teacher: Annotated[
        Path | None,
        typer.Option(
            "--teacher",
            metavar="FOLDER",
            help="A trained network of the same classes, such as a larger one, to learn from as well.",
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
    device: ProcessorOption = "cpu",
    threads: TrainThreadsOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            "-s",
            metavar="N",
            min=0,
            max=LARGEST_SEED,
            help="Decides every random choice of the training; by default the recipe's.",
        ),
    ] = None,
    split_seed: SplitSeedOption = 0,
    log: Annotated[
        LogName | None,
        typer.Option("--log", help="Where the metrics of each iteration go, beside metrics.jsonl."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train one network on clips.

    What comes out can be scored (`tvnsearch eval`), classified with and exported.
    """
    from cli.output import print_json, watching
    from tvnsearch.errors import UserError

    loggers = [] if log is None else [log]
    with watching() as watch:
        if resume:
            trained = tvnsearch.resume_training(genome, threads=threads, loggers=loggers, watch=watch)
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
                weights=weights,
                validate_every=validate_every,
                keep_best=keep_best,
                with_validation=with_validation,
                teacher=teacher,
                out=out,
                device=device,
                threads=threads,
                seed=seed,
                split_seed=split_seed,
                loggers=loggers,
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
    unseen = f"; on those that it never saw: `tvnsearch eval {trained.model}`"
    lines = [
        f"{trained.network} trained on {trained.data}: {result.iterations:,} iterations in "
        f"{result.seconds / 60:.1f} minutes, in {result.precision}, loss {result.loss or 0:.3f}",
        f"scores  {scores} on the {result.split} clips{unseen if result.split == 'validation' else ''}",
        *(f"file    {path}" for path in trained.files),
    ]
    if result.best_iteration is not None:
        lines.insert(
            2,
            f"best    after iteration {result.best_iteration:,}: chosen on these clips, which makes it look "
            "better on them than on others",
        )
    if result.parts > 1:
        lines.insert(1, "memory  did not hold a whole batch: each was computed in halves")
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
