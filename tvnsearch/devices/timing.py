"""The timing protocol: which samples count, how long to go on, and whether to believe the result.

A sample is one forward pass with a reading of the yardstick, a fixed small kernel, on either side of it.
Shared machines slow down in phases of seconds that no clock of the process shows; the yardstick shows them.
Nothing here knows what is timed or by which clock.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import median
from typing import NamedTuple, TypeVar

from msgspec import Struct

from tvnsearch.devices.measurement import FAR, Measurement

YARDSTICK_TOLERANCE = 0.15
"""How far a reading may lie above the machine's best before the samples beside it are disturbed."""

IDLE_TOLERANCE = 0.03
"""The share of a single-threaded pass that may be spent off the processor (stolen, faulting, waiting)."""

IDLE_TOLERANCE_NS = 20_000
"""The same for the shortest passes, where the clocks' own cost shows."""

CONFIDENCE = 0.95
MIN_SAMPLES = 9
FAR_SAMPLES = 64
"""Among so many first samples a measurement may end because it is far below what matters."""

FAR_HALF_WIDTH_PERCENT = 3.0
"""How well it must be known by then: it is compared with others' latencies, and predictions learn from it."""

LOOK_EVERY = 16
"""What is known is looked at again after a sixteenth more samples.

After each, of thousands, that took as long as they did, and pushed the next network out of the cache.
"""

YARDSTICK_FIRST_READINGS = 20
LUCKY_READINGS = 0.05
"""The share of readings that are quicker than what the machine can be held to."""

YARDSTICK_RUNS = 3
"""The quickest of them is a reading: the first finds cold caches, and one may be interrupted."""

WARM_UP_RUNS = 3
WARM_UP_GAIN = 0.02
WARM_UP_MAX_RUNS = 30

_T = TypeVar("_T")


class Interval(NamedTuple):
    """One run as the clocks saw it; ``cpu_ns`` is 0 where processor time says nothing (threads, GPU)."""

    wall_ns: int
    cpu_ns: int
    preemptions: int


class Sample(NamedTuple):
    """One run and the worse of the two yardstick readings beside it."""

    interval: Interval
    yardstick_ns: int


class Plan(Struct, frozen=True):
    """When to stop: the interval is narrow enough and ``min_seconds`` are over, or ``max_seconds`` are.

    An interval that is far below ``limit_ms`` is narrow enough, and at once, if it is known to 3 %: what is
    asked is whether the network keeps that limit.
    """

    max_seconds: float
    min_seconds: float = 0.0
    half_width_percent: float = 1.0
    min_samples: int = MIN_SAMPLES
    limit_ms: float | None = None


class Yardstick:
    """A fixed kernel whose time tells how fast the machine is right now; keeps the best value seen.

    ``known_best_ns`` is the best of earlier processes: without it, a process that starts on a busy machine
    takes what it finds for the machine's best.
    """

    def __init__(self, time_kernel: Callable[[], Interval], known_best_ns: int | None = None) -> None:
        self._time_kernel = time_kernel
        self._last_ns: int | None = None
        self._readings_ns: list[int] = []
        self.best_ns = sys.maxsize if known_best_ns is None else known_best_ns
        for _ in range(YARDSTICK_FIRST_READINGS):
            self._read()

    @property
    def usual_best_ns(self) -> int:
        """The best of this process that a later one can expect again: one lucky reading is no reference."""
        return round(quantile(self._readings_ns, LUCKY_READINGS))

    def around(self, action: Callable[[], _T]) -> tuple[_T, int]:
        """Run ``action``; its result and the worse of the readings before and after, in ns.

        The reading after one action is the reading before the next, unless :meth:`forget` came in between.
        """
        before_ns = self._last_ns if self._last_ns is not None else self._read()
        result = action()
        after_ns = self._last_ns = self._read()
        return result, max(before_ns, after_ns)

    def forget(self) -> None:
        """Other work was done since the last reading."""
        self._last_ns = None

    def is_off(self, reading_ns: int) -> bool:
        """Whether the machine was slower than at its best when this was read."""
        return reading_ns > self.best_ns * (1 + YARDSTICK_TOLERANCE)

    def _read(self) -> int:
        reading_ns = min(self._time_kernel().wall_ns for _ in range(YARDSTICK_RUNS))
        self.best_ns = min(self.best_ns, reading_ns)
        self._readings_ns.append(reading_ns)
        return reading_ns


def was_interrupted(interval: Interval) -> bool:
    """Whether something else ran on the processor in between."""
    idle_ns = interval.wall_ns - interval.cpu_ns if interval.cpu_ns else 0
    return interval.preemptions > 0 or idle_ns > max(IDLE_TOLERANCE * interval.wall_ns, IDLE_TOLERANCE_NS)


def is_disturbed(sample: Sample, yardstick: Yardstick) -> bool:
    """Whether a sample must be set aside: interrupted, or taken while the machine was slow."""
    return was_interrupted(sample.interval) or yardstick.is_off(sample.yardstick_ns)


def warm_up(
    time_once: Callable[[], Interval], max_seconds: float, now: Callable[[], float] = time.monotonic
) -> None:
    """Run until three runs in a row brought no gain, ``max_seconds`` are over, or 30 runs."""
    end = now() + max_seconds
    best_ns, runs_without_gain = math.inf, 0
    for _ in range(WARM_UP_MAX_RUNS):
        wall_ns = time_once().wall_ns
        runs_without_gain = 0 if wall_ns < best_ns * (1 - WARM_UP_GAIN) else runs_without_gain + 1
        best_ns = min(best_ns, wall_ns)
        if runs_without_gain == WARM_UP_RUNS or now() >= end:
            return


def measure_in_rounds(
    candidates: Sequence[Callable[[], Interval]],
    yardstick: Yardstick,
    plan: Plan,
    now: Callable[[], float] = time.monotonic,
    read_gauge: Callable[[], bool] = lambda: False,
) -> list[Measurement]:
    """Measure each candidate, one sample a round, so that a slow phase meets all of them alike.

    Candidates whose confidence interval is narrow enough sit out. Every candidate is sampled at least once,
    whatever ``plan.max_seconds``. ``read_gauge`` runs before each sample and says whether it did anything.
    """
    start = now()
    samples: list[list[Sample]] = [[] for _ in candidates]
    waiting, looks_at = list(range(len(candidates))), [0] * len(candidates)
    yardstick.forget()
    while waiting:
        for index in waiting:
            if samples[index] and now() - start >= plan.max_seconds:
                break
            if read_gauge():
                yardstick.forget()
            samples[index].append(Sample(*yardstick.around(candidates[index])))
        elapsed_s = now() - start
        if elapsed_s >= plan.max_seconds:
            break
        looked_at = [index for index in waiting if len(samples[index]) >= looks_at[index]]
        for index in looked_at:
            looks_at[index] = len(samples[index]) + max(1, len(samples[index]) // LOOK_EVERY)
            if _is_enough(samples[index], elapsed_s, yardstick, plan):
                waiting.remove(index)
    return [summarise(taken, yardstick, plan) for taken in samples]


def _is_enough(samples: Sequence[Sample], elapsed_s: float, yardstick: Yardstick, plan: Plan) -> bool:
    """Whether the samples of one network tell what the plan asks."""
    if elapsed_s >= plan.min_seconds:
        return summarise(samples, yardstick, plan).trusted
    if plan.limit_ms is None or not plan.min_samples <= len(samples) <= FAR_SAMPLES:
        return False
    measured = summarise(samples, yardstick, plan)
    return measured.trusted and measured.is_far_below(plan.limit_ms)


def summarise(samples: Sequence[Sample], yardstick: Yardstick, plan: Plan) -> Measurement:
    """The measurement that ``samples`` make; untrusted, with the reason, where they fall short of the plan.

    With fewer than six undisturbed ones there is no interval. Without a single one the figures are those of
    the quickest quarter, by the processor's time where that is known: a core shared with a busy process
    doubles the wall time and leaves this one alone.
    """
    taken_ms = [sample.interval.wall_ns / 1e6 for sample in samples]
    kept_ms = [
        wall_ms
        for wall_ms, sample in zip(taken_ms, samples, strict=True)
        if not is_disturbed(sample, yardstick)
    ]
    low_ms, middle_ms, high_ms = median_interval(kept_ms or quickest_quarter(_guesses_ms(samples)))
    half_width_percent = 100 * max(high_ms - middle_ms, middle_ms - low_ms) / middle_ms
    has_interval = median_rank(len(kept_ms)) > 0
    widest_percent = plan.half_width_percent
    if plan.limit_ms is not None and FAR * high_ms <= plan.limit_ms:
        widest_percent = max(widest_percent, FAR_HALF_WIDTH_PERCENT)
    reason = ""
    if len(kept_ms) == len(samples) < plan.min_samples:
        reason = (
            f"only {len(samples)} passes fitted into the time, {plan.min_samples} are needed; measure longer "
            "(--max-seconds)"
        )
    elif len(kept_ms) < plan.min_samples:
        reason = (
            f"only {len(kept_ms)} of {len(samples)} samples were undisturbed, {plan.min_samples} are needed"
        )
        speed = yardstick.best_ns / median(sample.yardstick_ns for sample in samples)
        if yardstick.is_off(round(yardstick.best_ns / speed)):
            reason += f"; the machine ran at {100 * speed:.0f} % of its best speed"
    elif half_width_percent > widest_percent:
        reason = (
            f"the median of {len(kept_ms)} samples is known to {half_width_percent:.1f} %, "
            f"{widest_percent:.2g} % was asked for"
        )
    return Measurement(
        latency_ms=middle_ms,
        ci_low_ms=low_ms if has_interval else None,
        ci_high_ms=high_ms if has_interval else None,
        p50_ms=quantile(taken_ms, 0.5),
        p90_ms=quantile(taken_ms, 0.9),
        p99_ms=quantile(taken_ms, 0.99),
        samples=len(kept_ms),
        disturbed=len(samples) - len(kept_ms),
        trusted=not reason,
        reason=reason,
    )


def _guesses_ms(samples: Sequence[Sample]) -> list[float]:
    return [(sample.interval.cpu_ns or sample.interval.wall_ns) / 1e6 for sample in samples]


def quickest_quarter(values: Sequence[float]) -> list[float]:
    """The smallest quarter of the values, at least one: the best guess where all of them were disturbed."""
    return sorted(values)[: max(len(values) // 4, 1)]


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Low end of the 95 % confidence interval of the median, the median, high end; free of any distribution.

    With fewer than six values no such interval exists, and the ends are the smallest and the largest value.
    """
    ordered = sorted(values)
    rank = median_rank(len(ordered)) or 1
    return ordered[rank - 1], median(ordered), ordered[-rank]


@lru_cache(maxsize=4096)
def median_rank(count: int) -> int:
    """The rank from either end of ``count`` ordered values whose interval holds the median in 95 % of cases.

    The number of values below the median is binomial (count, 1/2): the largest rank r with
    P(fewer than r below) <= 2.5 %. 0 where there is none (David and Nagaraja 2003, section 7.1).
    """
    allowed = (1 - CONFIDENCE) / 2
    tail, outcomes = 0, 2**count
    for rank in range(count // 2 + 1):
        tail += math.comb(count, rank)
        if tail / outcomes > allowed:
            return rank
    return 0


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed, interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
