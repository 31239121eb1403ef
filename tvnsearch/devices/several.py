"""One latency out of several processes: where a process lies in memory changes how fast its networks are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from msgspec.structs import replace

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

PROCESSES = 3
HALF_WIDTH_PERCENT = 1.0 * math.sqrt(PROCESSES)
"""How well each process must know its median for all of them together to know it to 1 %."""

AGREEMENT_PERCENT = 5.0
"""Processes that are farther apart than this were not all measured on an undisturbed machine."""


def measure_in_processes(
    device: Device,
    genomes: Sequence[Genome],
    classes: int = MOMENTS_IN_TIME_CLASSES,
    max_seconds: float = 10.0,
    on_progress: Callable[[float], None] = lambda share: None,
) -> list[Measurement]:
    """Time networks in one fresh process after the other, one :class:`Measurement` for each, in their order.

    ``max_seconds`` bounds each network's time over all processes; ``on_progress`` is told the share of them
    that is done.

    Raises:
        UserError: a network does not fit in memory, or a worker died of one twice.
    """
    rounds = []
    for number in range(PROCESSES):
        with Meter(device, classes) as meter:
            rounds.append(meter.measure(genomes, max_seconds / PROCESSES, HALF_WIDTH_PERCENT))
        on_progress((number + 1) / PROCESSES)
    return [combined(measurements) for measurements in zip(*rounds, strict=True)]


def combined(measurements: Sequence[Measurement]) -> Measurement:
    """What measurements of one network in several processes say together.

    Figures are medians over the processes; the interval spans all of their intervals. Trusted if each process
    is, and they agree.
    """
    latencies_ms = [measurement.latency_ms for measurement in measurements]
    middle_ms = median(latencies_ms)
    apart_percent = 100 * (max(latencies_ms) - min(latencies_ms)) / middle_ms
    reason = next((measurement.reason for measurement in measurements if measurement.reason), "")
    if not reason and apart_percent > AGREEMENT_PERCENT:
        reason = (
            f"{len(measurements)} processes differ by {apart_percent:.1f} %, "
            f"at most {AGREEMENT_PERCENT:g} % is expected"
        )
    return replace(
        measurements[0],
        latency_ms=middle_ms,
        ci_low_ms=min(measurement.ci_low_ms for measurement in measurements),
        ci_high_ms=max(measurement.ci_high_ms for measurement in measurements),
        p50_ms=median(measurement.p50_ms for measurement in measurements),
        p90_ms=median(measurement.p90_ms for measurement in measurements),
        p99_ms=median(measurement.p99_ms for measurement in measurements),
        samples=sum(measurement.samples for measurement in measurements),
        disturbed=sum(measurement.disturbed for measurement in measurements),
        trusted=not reason,
        reason=reason,
    )
