"""Latencies of networks that are really run, in turns, in three processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict

from tvnsearch.api.genomes import (
    GenomeLike,
    classes_of,
    grouped_by_classes,
    listed,
    name_of,
    resolve_genome,
)
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device, as_device
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.processes import measure_in_processes
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace


class StampedCall(Struct, frozen=True):
    """One layer call's latency, and the interquartile range of it over the passes.

    What the runtime executes as one ``with_call`` before it has no latency of its own: it is in that one's.
    """

    name: str
    latency_ms: float
    spread_ms: float
    with_call: str | None = None


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
    """A network's measurement, with ``classes`` outputs; its layers, where they were asked for."""

    name: str
    classes: int
    layers: StampedLayers | None = None


def measure(
    genomes: GenomeLike | Sequence[GenomeLike],
    device: str | Device = "cpu",
    *,
    classes: int | None = None,
    max_seconds: float = 10.0,
    layers: bool = False,
    watch: Watch = SILENT,
) -> list[MeasuredNetwork]:
    """Run ``genomes`` on ``device`` in turns, each for ``max_seconds`` at most, and time ``layers`` too.

    Their heads have ``classes`` outputs; by default as many as a run's or a training's network was trained
    for, and 339 where it never was. Networks with other numbers of them run in turns of their own.

    Raises:
        UserError: there is no such genome or device, or a network cannot be run there.
    """
    asked: Sequence[GenomeLike] = listed(genomes)
    found, opened = [resolve_genome(genome) for genome in asked], as_device(device)
    watch.progress("measure", 0.0, "")
    outputs = [classes_of(genome, classes) for genome in asked]
    measured = _measured(opened, found, outputs, max_seconds, watch)
    stamped: Mapping[int, StampedLayers] = {}
    if layers:
        stamped = _stamped(opened, found, outputs, max_seconds, watch)
    return [
        MeasuredNetwork(
            **asdict(measured[place]), name=name_of(genome), classes=outputs[place], layers=stamped.get(place)
        )
        for place, genome in enumerate(asked)
    ]


def _measured(
    device: Device, genomes: Sequence[Genome], classes: Sequence[int], max_seconds: float, watch: Watch
) -> Mapping[int, Measurement]:
    """Each network's measurement by its place; a process times heads of one size."""
    measured: dict[int, Measurement] = {}
    for count, places in grouped_by_classes(classes):

        def show(share: float, before: int = len(measured), together: int = len(places)) -> None:
            watch.progress("measure", (before + share * together) / len(genomes), "")

        group = [genomes[place] for place in places]
        found = measure_in_processes(device, group, count, max_seconds, show, say=watch.say)
        measured |= zip(places, found, strict=True)
    return measured


def _stamped(
    device: Device, genomes: Sequence[Genome], classes: Sequence[int], max_seconds: float, watch: Watch
) -> Mapping[int, StampedLayers]:
    stamped: dict[int, StampedLayers] = {}
    for count, places in grouped_by_classes(classes):
        with Meter(device, count, say=watch.say) as meter:
            for place in places:
                genome = genomes[place]
                stamped[place] = _named(genome, count, meter.time_layers(genome, max_seconds))
                watch.progress("layers", len(stamped) / len(genomes), "")
    return stamped


def _named(genome: Genome, classes: int, profile: LayerProfile) -> StampedLayers:
    names = [name for name, _ in trace(genome, classes).named_calls()]
    return StampedLayers(
        passes=profile.passes,
        disturbed=profile.disturbed,
        network_ms=profile.network.latency_ms,
        sum_ms=sum(profile.latencies_ms),
        calls=[
            StampedCall(name, latency_ms, spread_ms, None if names[part] == name else names[part])
            for name, latency_ms, spread_ms, part in zip(
                names, profile.latencies_ms, profile.spreads_ms, profile.parts, strict=True
            )
        ],
    )
