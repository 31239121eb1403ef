"""`tvnsearch measure`: run networks on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import tvnsearch
from cli.arguments import (
    BackendOption,
    BatchOption,
    DeviceOption,
    GenomeArguments,
    JsonOption,
    PrecisionOption,
    ThreadsOption,
    TrainedClassesOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.measure import MeasuredNetwork, StampedLayers


def measure(
    genomes: GenomeArguments,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    classes: TrainedClassesOption = None,
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
    from cli.output import print_json, watching
    from cli.reports import print_measurements

    with watching() as watch:
        measured = tvnsearch.measure(
            genomes,
            tvnsearch.open_device(device, threads, backend, precision, batch),
            classes=classes,
            max_seconds=max_seconds,
            layers=layers,
            watch=watch,
        )
    if as_json:
        print_json([_plain(row) for row in measured])
        return
    print_measurements(
        f"Measured on {device}, {threads} thread(s), {backend}, {precision}, batch {batch}",
        [row.name for row in measured],
        measured,
    )
    for row in measured:
        if row.layers is not None:
            _print_layers(row.name, row.layers)


def _plain(row: MeasuredNetwork) -> dict[str, Any]:
    from msgspec.structs import asdict

    named = {"name": row.name, **asdict(row)}
    return {name: value for name, value in named.items() if value is not None or name != "layers"}


def _print_layers(name: str, stamped: StampedLayers) -> None:
    from cli.output import print_table

    print_table(
        f"{name}, layer by layer in one process: together {stamped.sum_ms:.2f} ms, "
        f"the whole network in turns with them {stamped.network_ms:.2f} ms",
        ["layer call", "latency ms", "spread ms", "share %"],
        [
            [
                call.name if call.with_call is None else f"{call.name} (in {call.with_call})",
                f"{call.latency_ms:.3f}",
                f"{call.spread_ms:.3f}",
                f"{100 * call.latency_ms / stamped.sum_ms:.1f}",
            ]
            for call in stamped.calls
        ],
    )
