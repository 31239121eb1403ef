"""One latency out of several processes.

Where a process lies in memory changes how fast its networks are, and so does what else the host is doing in
its minutes: of some processes those count whose memory was quickest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from statistics import median

from msgspec.structs import replace

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement, Timing
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.timing import MIN_SAMPLES
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

PROCESSES = 3
"""So many count."""

MOST_PROCESSES = 6
"""So many are started at most until those that count had quick memory."""

HALF_WIDTH_PERCENT = 1.0 * math.sqrt(PROCESSES)
"""A process goes on until it knows its median so well: all of them together then know it to 1 %."""

WIDEST_PERCENT = 3.0
"""How well each must know it at the end of its time for the three to be trusted.

What tells good figures from bad ones is how far processes are apart. In the data of
:mod:`tvnsearch.devices.memory_gauge` 40 % of pairs of figures were trusted both times, and differed by 0.6 %
(median; 95th percentile 2.2 %, none by 5 %); with HALF_WIDTH_PERCENT in this place 14 %, by 0.5 % (1.2 %);
with no bound on it 60 %, by 0.7 % (2.5 %).
"""

AGREEMENT_PERCENT = 5.0
"""Processes that are farther apart than this were not all measured on an undisturbed machine."""

MOST_TIMES = 3
"""So many times a network is measured that is not trusted."""

AGAIN_SECONDS = 20.0
"""Slow phases of a host last from seconds to minutes."""

QUICK_PERCENT = 4.0
"""Memory is quick when a copy takes at most this much longer than on the device at its best."""

SLOW_PERCENT = 10.0
"""Nothing is trusted that was measured while it took longer by more than this."""


def measure_in_processes(
    device: Device,
    genomes: Sequence[Genome],
    classes: int = MOMENTS_IN_TIME_CLASSES,
    max_seconds: float = 10.0,
    on_progress: Callable[[float], None] = lambda share: None,
    limit_ms: float | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> list[Measurement]:
    """Time networks in one fresh process after the other, one :class:`Measurement` for each, in their order.

    ``max_seconds`` bounds each network's time over all processes; ``on_progress`` is told the share of them
    that is done. What lies far below ``limit_ms`` is not measured longer than that takes. ``say`` hears of a
    connection that broke.

    Raises:
        UserError: a network does not fit in memory, or a worker died of one twice.
    """
    timings: list[Timing] = []
    wanted = PROCESSES
    while wanted > 0 and len(timings) < MOST_PROCESSES:
        with Meter(device, classes, say=say) as meter:
            timings.append(meter.time(genomes, max_seconds / MOST_PROCESSES, HALF_WIDTH_PERCENT, limit_ms))
        wanted = PROCESSES - sum(slowness <= 1 + QUICK_PERCENT / 100 for slowness in _slownesses(timings))
        on_progress(len(timings) / min(len(timings) + wanted, MOST_PROCESSES))
    ranked = sorted(zip(_slownesses(timings), timings, strict=True), key=lambda pair: pair[0])
    slownesses, counted = zip(*ranked[:PROCESSES], strict=True)
    rounds = (timing.measurements for timing in counted)
    return [combined(measurements, max(slownesses)) for measurements in zip(*rounds, strict=True)]


def measure_until_trusted(
    device: Device,
    genomes: Sequence[Genome],
    classes: int,
    max_seconds: float,
    limit_ms: float,
    say: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> list[Measurement]:
    """As :func:`measure_in_processes`, and later again what does not decide whether it keeps ``limit_ms``.

    ``say`` gets a sentence before each of the waits, and of a connection that broke.

    Raises:
        UserError: as there.
    """
    measured = measure_in_processes(device, genomes, classes, max_seconds, limit_ms=limit_ms, say=say)
    for _ in range(MOST_TIMES - 1):
        places = [
            place for place, measurement in enumerate(measured) if measurement.decides(limit_ms) is None
        ]
        if not places:
            break
        say(
            f"measuring {len(places)} of {len(genomes)} networks again in {AGAIN_SECONDS:g} seconds: "
            f"{measured[places[0]].reason}"
        )
        wait(AGAIN_SECONDS)
        again = measure_in_processes(
            device, [genomes[place] for place in places], classes, max_seconds, limit_ms=limit_ms, say=say
        )
        for place, measurement in zip(places, again, strict=True):
            measured[place] = measurement
    return measured


def measure_in_one_process(
    meter: Meter, genome: Genome, max_seconds: float, limit_ms: float | None = None
) -> Measurement:
    """Time a network in the process that there is, as critically as several would be looked at.

    Raises:
        UserError: it does not fit in memory, or the worker died of it twice.
    """
    timing = meter.time([genome], max_seconds, limit_ms=limit_ms)
    return combined(timing.measurements, _slownesses([timing])[0])


def combined(measurements: Sequence[Measurement], slowness: float = 1.0) -> Measurement:
    """What measurements of one network in several processes say together.

    Figures are medians over the processes; the interval spans all of their intervals. Trusted if each process
    knows its median to 3 %, they agree to 5 %, and memory was not slow in any: ``slowness`` is how many times
    as long as at the device's best a copy took where it took longest. Without an interval in one there is
    none.
    """
    latencies_ms = [measurement.latency_ms for measurement in measurements]
    middle_ms = median(latencies_ms)
    apart_percent = 100 * (max(latencies_ms) - min(latencies_ms)) / middle_ms
    reason = next((measurement.reason for measurement in measurements if not _is_known(measurement)), "")
    if not reason and apart_percent > AGREEMENT_PERCENT:
        reason = (
            f"{len(measurements)} processes differ by {apart_percent:.1f} %, "
            f"at most {AGREEMENT_PERCENT:g} % is expected"
        )
    if not reason and slowness > 1 + SLOW_PERCENT / 100:
        reason = (
            f"memory ran at {100 / slowness:.0f} % of its best speed: other work on this host slows it; "
            "measure again later"
        )
    lows_ms = [one.ci_low_ms for one in measurements if one.ci_low_ms is not None]
    highs_ms = [one.ci_high_ms for one in measurements if one.ci_high_ms is not None]
    has_interval = len(highs_ms) == len(measurements)
    return replace(
        measurements[0],
        latency_ms=middle_ms,
        ci_low_ms=min(lows_ms) if has_interval else None,
        ci_high_ms=max(highs_ms) if has_interval else None,
        p50_ms=median(measurement.p50_ms for measurement in measurements),
        p90_ms=median(measurement.p90_ms for measurement in measurements),
        p99_ms=median(measurement.p99_ms for measurement in measurements),
        samples=sum(measurement.samples for measurement in measurements),
        disturbed=sum(measurement.disturbed for measurement in measurements),
        trusted=not reason,
        reason=reason,
    )


def _is_known(measurement: Measurement) -> bool:
    """Whether its process knows a network's median well enough."""
    margin_ms = WIDEST_PERCENT / 100 * measurement.latency_ms
    return measurement.trusted or (
        measurement.samples >= MIN_SAMPLES
        and measurement.ci_low_ms is not None
        and measurement.ci_high_ms is not None
        and measurement.latency_ms - measurement.ci_low_ms <= margin_ms
        and measurement.ci_high_ms - measurement.latency_ms <= margin_ms
    )


def _slownesses(timings: Sequence[Timing]) -> list[float]:
    """How many times as long as at the device's best a copy took in each.

    All are held to the best that any of them knew: the first on a device knows no better than its own.
    """
    known_ns = [timing.best_copy_ns for timing in timings if timing.best_copy_ns is not None]
    if not known_ns:
        return [1.0] * len(timings)
    return [1.0 if timing.copy_ns is None else timing.copy_ns / min(known_ns) for timing in timings]
