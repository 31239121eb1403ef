"""What a network executes: each layer call with its shapes, counts, and predicted latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from tvnsearch.api.files import write_text
from tvnsearch.api.genomes import GenomeLike, classes_of, name_of, resolve_genome
from tvnsearch.api.latency_predictors import database_path, layer_latencies
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device, as_device
from tvnsearch.drawing import network_svg
from tvnsearch.drawing.labels import sizes
from tvnsearch.errors import UserError
from tvnsearch.files import as_text
from tvnsearch.genome.calls import Shape
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import Trace, trace


class DescribedCall(Struct, frozen=True, omit_defaults=True):
    """A layer call at its place in a network, ``name``; sizes are along the axes that its type works on.

    ``latency_ms`` is predicted, None where no predictor knows.
    """

    name: str
    type: str
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    in_shape: Shape
    out_shape: Shape
    params: int
    macs: int
    latency_ms: float | None = None


class Description(Struct, frozen=True):
    """A network with a head of ``classes`` outputs: its layer calls in the order of execution, its counts.

    ``latency_ms`` is predicted, None where no predictor knows.
    """

    genome: Genome
    classes: int
    layers: list[DescribedCall]
    params: int
    macs: int
    latency_ms: float | None

    @property
    def gmacs(self) -> float:
        """Multiply-adds, in 10^9."""
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """Operations, in 10^9: two a multiply-add."""
        return 2 * self.gmacs


def describe(
    genome: GenomeLike,
    device: str | Device = "cpu",
    *,
    classes: int | None = None,
    svg: str | Path | None = None,
    db: str | Path | None = None,
    watch: Watch = SILENT,
) -> Description:
    """Tell what ``genome`` executes, with latencies if ``device`` is profiled in ``db``; draw it as ``svg``.

    Its head has ``classes`` outputs; by default as many as a run's or a training's network was trained for,
    and 339 where it never was.

    Raises:
        UserError: there is no such genome or device, or ``svg`` cannot be written.
    """
    found = resolve_genome(genome)
    outputs = classes_of(genome, classes)
    network = trace(found, outputs)
    opened = as_device(device)
    if svg is not None:
        write_text(svg, network_svg(found, as_text(name_of(genome)), outputs))
        watch.say(f"picture: {svg}")
    latencies_ms = None
    try:
        latencies_ms = layer_latencies(found, outputs, opened, database_path(db), watch=watch)
    except UserError as error:
        watch.say(f"no predicted latencies: {error}")
    return Description(
        genome=found,
        classes=outputs,
        layers=_described(network, latencies_ms),
        params=network.params,
        macs=network.macs,
        latency_ms=None if latencies_ms is None else sum(latencies_ms),
    )


def _described(network: Trace, latencies_ms: Sequence[float] | None) -> list[DescribedCall]:
    calls = list(network.named_calls())
    known_ms: Sequence[float | None] = [None] * len(calls) if latencies_ms is None else latencies_ms
    return [
        DescribedCall(
            name=name,
            type=call.type,
            kernel=sizes(call.type, call.kernel, call.kernel_frames, call.kernel_width),
            stride=sizes(call.type, call.stride, call.stride_frames),
            in_shape=call.in_shape,
            out_shape=call.out_shape,
            params=call.params,
            macs=call.macs,
            latency_ms=latency_ms,
        )
        for (name, call), latency_ms in zip(calls, known_ms, strict=True)
    ]
