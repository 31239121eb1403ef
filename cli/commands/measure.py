"""`tvnsearch measure`: run networks on the device."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import (
    BackendOption,
    BatchOption,
    ClassesOption,
    DeviceOption,
    DtypeOption,
    GenomeArguments,
    JsonOption,
    ThreadsOption,
)
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES


def measure(
    genomes: GenomeArguments,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    classes: ClassesOption = MOMENTS_IN_TIME_CLASSES,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=0.5, help="The longest to measure each network.")
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Measure networks for real, interleaved, in three processes, each with a confidence interval."""
    from cli.genomes import resolve_genome
    from cli.output import ProgressBar, print_json, print_table
    from tvnsearch.devices import measure_in_processes, open_device

    found = [resolve_genome(name) for name in genomes]
    opened = open_device(device, threads, backend, dtype, batch)
    with ProgressBar("measure") as bar:
        results = measure_in_processes(opened, found, classes, max_seconds, bar.update)
    if as_json:
        rows = zip(genomes, results, strict=True)
        print_json(
            [
                {"name": name, **{field: getattr(row, field) for field in row.__struct_fields__}}
                for name, row in rows
            ]
        )
        return
    print_table(
        f"Measured on {device}, {threads} thread(s), {backend}, {dtype}, batch {batch}",
        ["network", "ms", "95 % interval", "p50", "p90", "p99", "samples", "trusted"],
        [
            [
                name,
                f"{row.latency_ms:.2f}",
                f"{row.ci_low_ms:.2f} - {row.ci_high_ms:.2f}",
                f"{row.p50_ms:.2f}",
                f"{row.p90_ms:.2f}",
                f"{row.p99_ms:.2f}",
                row.samples,
                "yes" if row.trusted else f"no: {row.reason}",
            ]
            for name, row in zip(genomes, results, strict=True)
        ],
    )
