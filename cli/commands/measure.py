"""`tvnsearch measure`: run networks on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from tvnsearch.devices.device import Device
    from tvnsearch.genome.genome import Genome


def measure(
    genomes: GenomeArguments,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    classes: ClassesOption = MOMENTS_IN_TIME_CLASSES,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--max-seconds", metavar="SECONDS", min=0.5, help="Seconds to measure each network at most."
        ),
    ] = 10.0,
    layers: Annotated[
        bool, typer.Option("--layers", help="Measure each layer too, while its whole network runs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the latency of networks by running them.

    All in turns, in three processes, each with a confidence interval.
    """
    from cli.output import ProgressBar, print_json
    from cli.reports import print_measurements
    from tvnsearch.api.genomes import resolve_genome
    from tvnsearch.devices import measure_in_processes, open_device

    found = [resolve_genome(name) for name in genomes]
    opened = open_device(device, threads, backend, dtype, batch)
    with ProgressBar("measure") as bar:
        results = measure_in_processes(opened, found, classes, max_seconds, bar.update)
    reports: list[dict[str, Any]] = [
        {"name": name, **{field: getattr(row, field) for field in row.__struct_fields__}}
        for name, row in zip(genomes, results, strict=True)
    ]
    if layers:
        for report, layer_report in zip(
            reports, _layer_reports(opened, found, classes, max_seconds), strict=True
        ):
            report["layers"] = layer_report
    if as_json:
        print_json(reports)
        return
    print_measurements(
        f"Measured on {device}, {threads} thread(s), {backend}, {dtype}, batch {batch}", genomes, results
    )
    if layers:
        for report in reports:
            _print_layers(report["name"], report["layers"])


def _layer_reports(
    device: Device, genomes: Sequence[Genome], classes: int, max_seconds: float
) -> list[dict[str, Any]]:
    from cli.output import ProgressBar
    from tvnsearch.devices import Meter
    from tvnsearch.genome.trace import trace

    reports = []
    with Meter(device, classes) as meter, ProgressBar("layers") as bar:
        for done, genome in enumerate(genomes, 1):
            profile = meter.time_layers(genome, max_seconds)
            bar.update(done / len(genomes))
            named = trace(genome, classes).named_calls()
            figures = zip(named, profile.latencies_ms, profile.spreads_ms, strict=True)
            reports.append(
                {
                    "passes": profile.passes,
                    "disturbed": profile.disturbed,
                    "network_ms": profile.network.latency_ms,
                    "sum_ms": sum(profile.latencies_ms),
                    "calls": [
                        {"name": name, "latency_ms": latency_ms, "spread_ms": spread_ms}
                        for (name, _), latency_ms, spread_ms in figures
                    ],
                }
            )
    return reports


def _print_layers(name: str, report: dict[str, Any]) -> None:
    from cli.output import print_table

    print_table(
        f"{name}, layer by layer in one process: together {report['sum_ms']:.2f} ms, "
        f"the whole network in turns with them {report['network_ms']:.2f} ms",
        ["layer call", "latency ms", "spread ms", "share %"],
        [
            [
                call["name"],
                f"{call['latency_ms']:.3f}",
                f"{call['spread_ms']:.3f}",
                f"{100 * call['latency_ms'] / report['sum_ms']:.1f}",
            ]
            for call in report["calls"]
        ],
    )
