"""`tvnsearch eval`: score trained networks by their data set's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tvnsearch
from cli.arguments import SPLIT_SEED_HELP, JsonOption, ProcessorOption, TrainThreadsOption
from cli.choices import Split
from tvnsearch.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from tvnsearch.api.evaluate import ModelReport
    from tvnsearch.training.metrics import Scores
    from tvnsearch.training.report import ClassScore, Report

ROWS_OF_CLASSES = 20
"""The classes shown of a data set that has more: the worst of them."""


def evaluate(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL", help="Folders of trainings or runs; of several the mean is shown too."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="[FORMAT:]PATH",
            help="The clips; by default those that each MODEL was trained on.",
        ),
    ] = None,
    split: Annotated[
        Split, typer.Option("--split", help="The part of the clips to score on: a split, or all of them.")
    ] = "test",
    split_seed: Annotated[
        int | None,
        typer.Option(
            "--split-seed",
            metavar="N",
            min=0,
            max=LARGEST_SEED,
            help=f"{SPLIT_SEED_HELP}; by default as each MODEL was trained.",
        ),
    ] = None,
    views: Annotated[
        str,
        typer.Option(
            "--views",
            metavar="STARTSxCROPS",
            help="Views of a clip that are scored together: starts x crops, such as 10x3.",
        ),
    ] = "1x1",
    confusion: Annotated[
        Path | None,
        typer.Option("--confusion", metavar="FILE", help="Draw the confusion matrix into this SVG file."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Score this exported file of MODEL (.onnx, .xml, .pt2, standalone folder) in its runtime.",
        ),
    ] = None,
    device: ProcessorOption = "cpu",
    threads: TrainThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score trained networks on clips.

    By the protocol of their data set: with intervals, class by class, and the mean of several networks.
    """
    from cli.output import print_json, watching

    with watching() as watch:
        evaluated = tvnsearch.evaluate(
            models,
            data=data,
            split=split,
            split_seed=split_seed,
            views=views,
            confusion=confusion,
            file=file,
            device=device,
            threads=threads,
            watch=watch,
        )
    if as_json:
        rows = [_plain(model, split, views) for model in evaluated.models]
        print_json(rows[0] if len(rows) == 1 else {"models": rows, "mean": _figures(evaluated.mean)})
        return
    for model in evaluated.models:
        name = f"{model.file} in {model.runtime}" if model.file else model.model
        _print_report(f"{name}, {split} clips, {views} view(s)", model.report)
    if len(evaluated.models) > 1:
        _print_lines([f"mean of {len(evaluated.models)}: {_sentence(evaluated.mean)}"])


def _figures(scores: Scores) -> dict[str, Any]:
    return {
        "clips": scores.clips,
        "top1": scores.top1,
        "top5": scores.top5,
        "top1_plus_top5": None if scores.top1 is None else scores.fitness,
        "mean_average_precision": scores.mean_average_precision,
    }


def _plain(model: ModelReport, split: str, views: str) -> dict[str, Any]:
    named, report = {"fitness": "top1_plus_top5"}, model.report
    return {
        "model": model.model,
        "file": model.file,
        "runtime": model.runtime,
        "data": model.data,
        "split": split,
        "views": views,
        **_figures(report.scores),
        "intervals": {
            named.get(name, name): [interval.low, interval.high]
            for name, interval in report.intervals.items()
        },
        "classes": report.classes,
        "confusion": report.confusion,
    }


def _sentence(scores: Scores) -> str:
    if scores.top1 is None:
        return f"mAP {100 * (scores.mean_average_precision or 0):.1f} % on {scores.clips:,} clips"
    return (
        f"top-1 {100 * scores.top1:.1f} %, top-5 {100 * (scores.top5 or 0):.1f} %, "
        f"top-1 + top-5 {100 * scores.fitness:.1f} % on {scores.clips:,} clips"
    )


def _print_report(title: str, report: Report) -> None:
    from cli.output import print_table

    _print_lines([f"{title}: {_sentence(report.scores)}"])
    names = {"top1": "top-1", "top5": "top-5", "fitness": "top-1 + top-5", "mean_average_precision": "mAP"}
    print_table(
        "Scores",
        ["score", "%", "95 % interval over clips"],
        [
            [
                names[name],
                f"{100 * getattr(report.scores, name):.1f}",
                f"{100 * interval.low:.1f} - {100 * interval.high:.1f}",
            ]
            for name, interval in report.intervals.items()
        ],
    )
    shown = sorted(report.classes, key=lambda each: 2.0 if each.score is None else each.score)
    more = len(shown) - ROWS_OF_CLASSES
    print_table(
        "Classes, worst first" + (f" ({more} better ones in --json)" if more > 0 else ""),
        ["class", "most often taken for", "clips", "right %" if report.confusion else "AP %"],
        [_row(each) for each in shown[:ROWS_OF_CLASSES]],
        word_columns=2,
    )


def _row(row: ClassScore) -> Sequence[object]:
    taken = f"{row.taken_for} ({row.mistakes})" if row.taken_for else "-"
    return [row.name, taken, row.clips, "-" if row.score is None else f"{100 * row.score:.1f}"]


def _print_lines(lines: Sequence[str]) -> None:
    from cli.output import out

    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
