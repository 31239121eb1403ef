"""`tvnsearch show`: a network layer by layer, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tvnsearch
from cli.arguments import (
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    GenomeArgument,
    JsonOption,
    PrecisionOption,
    ThreadsOption,
    TrainedClassesOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.describe import DescribedCall, Description
    from tvnsearch.genome.calls import LayerCall
    from tvnsearch.genome.trace import Trace


def show(
    genome: GenomeArgument,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw a picture into this SVG file.")
    ] = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    classes: TrainedClassesOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a network executes, layer by layer.

    Each layer call with its shapes, MACs, parameters, and milliseconds if this device was profiled.
    """
    from cli.output import out, print_json, print_table, watching
    from tvnsearch.drawing import block_lines

    with watching() as watch:
        described = tvnsearch.describe(
            genome,
            tvnsearch.open_device(device, threads, backend, precision, batch),
            classes=classes,
            svg=svg,
            db=db,
            watch=watch,
        )
    if as_json:
        print_json(_plain(described))
        return
    for line in block_lines(described.genome):
        out.print(line, highlight=False, markup=False)
    latency_ms = described.latency_ms
    print_table(
        "Layer calls by block.repeat.call (x N: N repeats from here on)",
        ["place", "layer", "kernel", "stride", "out TxHxWxC", "MMACs", "params"]
        + ([] if latency_ms is None else ["ms", "%"]),
        _rows(described),
        word_columns=2,
    )
    spec = described.genome.input
    predicted = "" if latency_ms is None else f"; predicted on {device}: {latency_ms:.2f} ms"
    out.print(
        f"{genome}: {described.params:,} parameters, {described.gmacs:.4g} GMACs, {described.gflops:.4g} "
        f"GFLOPs (2 x GMACs), {described.classes} classes; input: {spec.frames} x "
        f"{spec.width}x{spec.height}, stride {spec.frame_stride}{predicted}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _plain(described: Description) -> dict[str, Any]:
    total = {} if described.latency_ms is None else {"latency_ms": described.latency_ms}
    return {
        "input": described.genome.input,
        "classes": described.classes,
        "layers": described.layers,
        "params": described.params,
        "macs": described.macs,
        "gmacs": described.gmacs,
        "gflops": described.gflops,
        **total,
    }


def _rows(described: Description) -> Iterator[list[str]]:
    """A row of the table for each call; equal repeats that follow each other share rows, which count all."""
    from tvnsearch.drawing.labels import call_name, times
    from tvnsearch.genome.trace import trace

    position = 0
    for place, count, calls in _runs(trace(described.genome, described.classes)):
        layers = described.layers[position : position + count * len(calls)]
        for number, (call, layer) in enumerate(zip(calls, layers, strict=False)):
            yield [
                place.format(call=number + 1),
                call_name(call),
                times(layer.kernel),
                times(layer.stride) if len(layer.stride) == 3 else "".join(map(str, layer.stride[:1])),
                times(layer.out_shape),
                f"{count * layer.macs / 1e6:.2f}",
                f"{count * layer.params:,}",
                *_latency_cells(layers[number :: len(calls)], described.latency_ms),
            ]
        position += len(layers)


def _latency_cells(same: Sequence[DescribedCall], network_ms: float | None) -> list[str]:
    """The predicted ms of equal calls together, and their share."""
    if network_ms is None:
        return []
    same_ms = sum(call.latency_ms or 0.0 for call in same)
    return [f"{same_ms:.3f}", f"{100 * same_ms / network_ms:.1f}"]


def _runs(network: Trace) -> Iterator[tuple[str, int, Sequence[LayerCall]]]:
    """Equal repeats in a row: where the first is, with ``{call}`` in it, their number, the calls of each."""
    for block_number, block in enumerate(network.blocks, 1):
        first = 1
        for calls, run in groupby(repeat.calls for repeat in block.repeats):
            count = len(list(run))
            together = f" x {count}" if count > 1 else ""
            yield f"{block_number}.{first}.{{call}}{together}", count, calls
            first += count
    yield "head", 1, (network.head,)
