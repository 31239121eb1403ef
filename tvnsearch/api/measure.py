"""Latencies of networks that are really run, in turns, in three processes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import asdict

from tvnsearch.api.genomes import GenomeLike, listed, name_of, resolve_genome
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device, as_device
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.processes import measure_in_processes
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, trace


class StampedCall(Struct, frozen=True):
    """One layer call's latency, and the interquartile range of it over the passes."""

    name: str
    latency_ms: float
    spread_ms: float


class StampedLayers(Struct, frozen=True):
    """Each layer call of a network, stamped while the whole network ran in one process.

    ``passes`` count, ``disturbed`` ones do not; ``network_ms`` is the whole network in turns with them.
    """

    passes: int
    disturbed: int
    network_ms: float
    sum_ms: float
    calls: list[StampedCall]


class MeasuredNetwork(Measurement, frozen=True, kw_only=True):
    """A network's measurement; its layers, where they were asked for."""

    name: str
    layers: StampedLayers | None = None


def measure(
    genomes: GenomeLike | Sequence[GenomeLike],
    device: str | Device = "cpu",
    *,
    classes: int = MOMENTS_IN_TIME_CLASSES,
    max_seconds: float = 10.0,
    layers: bool = False,
    watch: Watch = SILENT,
) -> list[MeasuredNetwork]:
    """Run ``genomes`` on ``device`` in turns, each for ``max_seconds`` at most, and time ``layers`` too.

    Raises:
        UserError: there is no such genome or device, or a network cannot be run there.
    """
    asked: Sequence[GenomeLike] = listed(genomes)
    found, opened = [resolve_genome(genome) for genome in asked], as_device(device)
    watch.progress("measure", 0.0, "")
    measured = measure_in_processes(
        opened, found, classes, max_seconds, lambda share: watch.progress("measure", share, "")
    )
    stamped: Sequence[StampedLayers | None] = [None] * len(found)
    if layers:
        stamped = _stamped(opened, found, classes, max_seconds, watch)
    return [
        MeasuredNetwork(**asdict(measurement), name=name_of(genome), layers=of_layers)
        for genome, measurement, of_layers in zip(asked, measured, stamped, strict=True)
    ]


def _stamped(
    device: Device, genomes: Sequence[Genome], classes: int, max_seconds: float, watch: Watch
) -> list[StampedLayers]:
    stamped = []
    with Meter(device, classes) as meter:
        for done, genome in enumerate(genomes, 1):
            stamped.append(_named(genome, classes, meter.time_layers(genome, max_seconds)))
            watch.progress("layers", done / len(genomes), "")
    return stamped


def _named(genome: Genome, classes: int, profile: LayerProfile) -> StampedLayers:
    names = [name for name, _ in trace(genome, classes).named_calls()]
    return StampedLayers(
        passes=profile.passes,
        disturbed=profile.disturbed,
        network_ms=profile.network.latency_ms,
        sum_ms=sum(profile.latencies_ms),
        calls=[
            StampedCall(name, latency_ms, spread_ms)
            for name, latency_ms, spread_ms in zip(
                names, profile.latencies_ms, profile.spreads_ms, strict=True
            )
        ],
    )
