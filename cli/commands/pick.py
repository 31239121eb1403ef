"""`tvnsearch pick`: answer another budget from what a run knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins

from cli.arguments import (
    JsonOption,
    MaxGflopsOption,
    MaxMbOption,
    MaxMsOption,
    MaxParamsOption,
    RunArgument,
)
from cli.numbers import parse_count, parse_max_ms


def pick(
    run: RunArgument,
    max_ms: MaxMsOption,
    max_params: MaxParamsOption = None,
    max_gflops: MaxGflopsOption = None,
    max_mb: MaxMbOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Measure it once more, and write it here for export, eval and classify.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pick the fittest network of a run for another budget.

    Of those that were trained and keep the budget, as they were really measured.
    """
    from cli.output import count, print_json, print_table, watching
    from cli.output import out as console
    from cli.reports import predicted_line
    from tvnsearch.api.pick import pick as pick_from
    from tvnsearch.api.status import measured_device
    from tvnsearch.api.times import written_interval

    here_max_ms, others_max_ms = parse_max_ms(max_ms, measured_device(run))
    with watching() as watch:
        answer = pick_from(
            run,
            max_ms=here_max_ms,
            max_params=parse_count(max_params, "--max-params"),
            max_gflops=max_gflops,
            max_mb=max_mb,
            others_max_ms=others_max_ms,
            out=out,
            watch=watch,
        )
    if as_json:
        print_json(answer)
        return
    picked = answer.picked
    print_table(
        f"the fittest of {answer.keeping} that keep {max_ms} ms, of {answer.trained} trained in {run}",
        ["individual", "ms", "95 % interval", "parameters", "GFLOPs", "fitness", "top-1", "weights"],
        [
            [
                picked.number,
                f"{picked.latency_ms:.2f}",
                written_interval(picked.ci_low_ms, picked.ci_high_ms),
                count(picked.params),
                f"{2 * picked.macs / 1e9:.3f}",
                f"{picked.fitness:.3f}{' foretold' if picked.stopped else ''}",
                "-" if picked.top1 is None else f"{100 * picked.top1:.1f} %",
                "kept" if answer.weights else "dropped",
            ]
        ],
    )
    if not answer.promised:
        console.print(
            f"that it keeps {here_max_ms:g} ms is no promise: {picked.reason}; "
            + ("measure it again" if out else "--out measures it once more"),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    if picked.stopped:
        console.print(
            f"individual {picked.number} is paused: its fitness is foretold, its weights have reached "
            f"{picked.reached:.3f}; `tvnsearch finalists {run}` trains the best of the run whole",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    for device, estimate in picked.predicted_on_others.items():
        console.print(
            predicted_line(device, to_builtins(estimate)), highlight=False, markup=False, soft_wrap=True
        )
