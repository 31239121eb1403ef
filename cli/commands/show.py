"""`tvnsearch show`: a network layer by layer, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import (
    BackendOption,
    BatchOption,
    ClassesOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    GenomeArgument,
    JsonOption,
    ThreadsOption,
)
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

if TYPE_CHECKING:
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
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    classes: ClassesOption = MOMENTS_IN_TIME_CLASSES,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a network executes, layer by layer.

    Each layer call with its shapes, MACs, parameters, and milliseconds if this device was profiled.
    """
    from cli.output import out, print_json, print_table, say, write_text
    from tvnsearch.api.genomes import resolve_genome
    from tvnsearch.api.latency_predictors import database_path, layer_latencies
    from tvnsearch.devices.device import open_device
    from tvnsearch.drawing import block_lines, network_svg
    from tvnsearch.errors import UserError
    from tvnsearch.genome.trace import trace

    found = resolve_genome(genome)
    network = trace(found, classes)
    opened = open_device(device, threads, backend, dtype, batch)
    if svg is not None:
        write_text(svg, network_svg(found, genome, classes))
        say(f"picture: {svg}")
    latencies_ms = None
    try:
        latencies_ms = layer_latencies(found, classes, opened, database_path(db))
    except UserError as error:
        say(f"no predicted latencies: {error}")
    gmacs = network.macs / 1e9
    if as_json:
        total = {} if latencies_ms is None else {"latency_ms": sum(latencies_ms)}
        print_json(
            {
                "input": found.input,
                "layers": _layers(network, latencies_ms),
                "params": network.params,
                "macs": network.macs,
                "gmacs": gmacs,
                "gflops": 2 * gmacs,
                **total,
            }
        )
        return
    spec = found.input
    for line in block_lines(found):
        out.print(line, highlight=False, markup=False)
    print_table(
        "Layer calls by block.repeat.call (x N: N repeats from here on)",
        ["place", "layer", "kernel", "stride", "out TxHxWxC", "MMACs", "params"]
        + ([] if latencies_ms is None else ["ms", "%"]),
        _rows(network, latencies_ms),
        word_columns=2,
    )
    predicted = "" if latencies_ms is None else f"; predicted on {device}: {sum(latencies_ms):.2f} ms"
    out.print(
        f"{genome}: {network.params:,} parameters, {gmacs:.4g} GMACs, {2 * gmacs:.4g} GFLOPs (2 x GMACs); "
        f"input: {spec.frames} x {spec.width}x{spec.height}, stride {spec.frame_stride}{predicted}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _layers(network: Trace, latencies_ms: Sequence[float] | None) -> list[dict[str, Any]]:
    """Every layer call as plain data."""
    from tvnsearch.drawing.labels import sizes

    layers: list[dict[str, Any]] = [
        {
            "name": name,
            "type": call.type,
            "kernel": sizes(call.type, call.kernel, call.kernel_frames, call.kernel_width),
            "stride": sizes(call.type, call.stride, call.stride_frames),
            "in_shape": call.in_shape,
            "out_shape": call.out_shape,
            "params": call.params,
            "macs": call.macs,
        }
        for name, call in network.named_calls()
    ]
    if latencies_ms is not None:
        for layer, latency_ms in zip(layers, latencies_ms, strict=True):
            layer["latency_ms"] = latency_ms
    return layers


def _rows(network: Trace, latencies_ms: Sequence[float] | None) -> Iterator[list[str]]:
    """A row of the table for each call; equal repeats that follow each other share rows, which count all."""
    from tvnsearch.drawing.labels import call_name, sizes, times

    position = 0
    for place, count, calls in _runs(network):
        for number, call in enumerate(calls):
            strides = sizes(call.type, call.stride, call.stride_frames)
            row = [
                place.format(call=number + 1),
                call_name(call),
                times(sizes(call.type, call.kernel, call.kernel_frames, call.kernel_width)),
                times(strides) if len(strides) == 3 else "".join(map(str, strides[:1])),
                times(call.out_shape),
                f"{count * call.macs / 1e6:.2f}",
                f"{count * call.params:,}",
            ]
            if latencies_ms is not None:
                same_ms = latencies_ms[position + number : position + count * len(calls) : len(calls)]
                row += [f"{sum(same_ms):.3f}", f"{100 * sum(same_ms) / sum(latencies_ms):.1f}"]
            yield row
        position += count * len(calls)


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
