"""`tvnsearch bench`: one network in all runtimes that are here."""

from __future__ import annotations

from typing import Annotated

import typer

import tvnsearch
from cli.arguments import (
    BatchOption,
    DeviceOption,
    GenomeArgument,
    JsonOption,
    ThreadsOption,
    TrainedClassesOption,
)


def bench(
    genome: GenomeArgument,
    backends: Annotated[
        str,
        typer.Option(
            "--backends",
            metavar="NAMES",
            help="The runtimes to compare, with commas; by default all.",
        ),
    ] = "all",
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    batch: BatchOption = 1,
    classes: TrainedClassesOption = None,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--max-seconds", metavar="SECONDS", min=0.5, help="Seconds to measure in each runtime at most."
        ),
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Measure one network in every runtime and precision, in turns.

    The quickest comes first. What is not installed, or cannot run here, is told below.
    """
    from cli.output import out, print_json, print_table, watching
    from tvnsearch.api.times import written_interval

    with watching() as watch:
        benched = tvnsearch.bench(
            genome,
            [name.strip() for name in backends.split(",")],
            device=device,
            threads=threads,
            batch=batch,
            classes=classes,
            max_seconds=max_seconds,
            watch=watch,
        )
    if as_json:
        print_json(benched)
        return
    print_table(
        f"{benched.name} on {device}, {threads} thread(s), batch {batch}: {benched.gflops:.3g} GFLOPs",
        ["backend", "precision", "ms", "95 % interval", "to eager", "GFLOP/s", "trusted"],
        [
            [
                row.backend,
                row.precision,
                f"{row.latency_ms:.3f}",
                written_interval(row.ci_low_ms, row.ci_high_ms, ".3f"),
                "" if row.to_eager is None else f"{row.to_eager:.2f}",
                f"{row.gflops_a_second:.1f}",
                "yes" if row.trusted else "no",
            ]
            for row in benched.runtimes
        ],
    )
    for name, reason in benched.left_out.items():
        out.print(f"{name} was left out: {reason}", highlight=False, markup=False, soft_wrap=True)
