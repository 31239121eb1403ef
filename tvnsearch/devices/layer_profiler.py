"""What each layer call of a network takes, told by as fine a clock as its runtime has.

Where layer calls can be stamped, each is timed while the whole network runs. Where a runtime tells only what
its own kernels took, in passes that take longer for being watched, those divide the level, which comes from
passes that nobody watched. Where it tells nothing, the whole network is one part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import cast

from tvnsearch.devices.backends import DividedNetwork, Grain, PreparedNetwork, StampedNetwork
from tvnsearch.devices.backends.parts import Division, undivided
from tvnsearch.devices.clocks import Clock, StampedPass
from tvnsearch.devices.measurement import LayerProfile
from tvnsearch.devices.timing import (
    Plan,
    Sample,
    Yardstick,
    is_disturbed,
    quantile,
    quickest_quarter,
    summarise,
    warm_up,
)

WARM_UP_SECONDS = 2.0
MIN_PASSES, MAX_PASSES = 2, 32
PASSES_SECONDS = 0.08
"""The time for a profile's passes, within those bounds.

Few: the noise of a row (1 to 3 %) is far below the error of a prediction, so other networks teach more. After
eight passes those under 3 ms were known to 10 % only, and 32 of them cost next to nothing. None is counted
before the second: kernels are chosen, weights packed and memory reserved in the first.
"""

PATIENCE = 3
"""How many times the passes asked for are taken at most, when they are disturbed."""

HALF_WIDTH_PERCENT = 3.0
"""A few passes do not tell a median to 1 %; a profile's own network measurement is trusted from here on."""

LAYERS_PASSES = 15
LAYERS_SECONDS = 1.0
"""What layers are timed for at least when they are to be known as surely as the network."""


class LayerProfiler:
    """Times layer calls with a clock, beside a yardstick that is held to the best of this process alone.

    In a slow phase of hours a table of that phase is better than none. Networks are of a backend whose clock
    tells apart what its ``grain`` says.
    """

    def __init__(self, clock: Clock, yardstick: Yardstick, grain: Grain) -> None:
        self._clock, self._yardstick, self._grain = clock, yardstick, grain

    def profile(self, network: PreparedNetwork, calls: int, max_seconds: float) -> LayerProfile:
        """The layer calls of a network, soon.

        A layer call's latency is the median over the undisturbed passes: the sum of medians is what agrees
        best with the median of the whole (on a busy machine quartiles and minima fall 5 and 11 % short). Ends
        when enough passes were undisturbed, when three times as many were taken, or after ``max_seconds``;
        without a single undisturbed one, the quickest quarter counts.
        """
        plan = Plan(max_seconds, half_width_percent=HALF_WIDTH_PERCENT, min_samples=MIN_PASSES)
        network.run()
        if self._grain == "call":
            stamped: list[tuple[StampedPass, int]] = []
            samples = self._few_samples(lambda: self._stamp(network, stamped), max_seconds)
            return self._of_stamps(stamped, samples, plan)
        division = self._division(network, calls)
        network.run()  # the watched passes left other things in the caches
        return self._divided(division, self._few_samples(lambda: self._whole(network), max_seconds), plan)

    def time_layers(self, network: PreparedNetwork, calls: int, max_seconds: float) -> LayerProfile:
        """The layer calls of a network as surely as the whole of it, in turns with whole passes.

        A pass that is stamped and one that is not follow each other, so that both see the same machine: the
        sum of the layers and the ``network``, which is of the unstamped passes alone, can be compared. Ends
        when both have enough undisturbed passes over a second or more, or after ``max_seconds``.
        """
        plan = Plan(max_seconds, half_width_percent=HALF_WIDTH_PERCENT)
        if self._grain != "call":
            division = self._division(network, calls)
            warm_up(lambda: self._clock.time(network.run), WARM_UP_SECONDS)
            whole = self._many_samples(lambda: self._whole(network), max_seconds)
            return self._divided(division, whole, plan)
        stamped: list[tuple[StampedPass, int]] = []
        whole = []

        def in_turns() -> Sample:
            sample = self._stamp(network, stamped)
            whole.append(self._whole(network))
            return max(sample, whole[-1], key=self._is_disturbed)

        run_stamped = cast(StampedNetwork, network).run_stamped
        warm_up(lambda: self._clock.time_calls(run_stamped).interval, WARM_UP_SECONDS)
        self._many_samples(in_turns, max_seconds)
        return self._of_stamps(stamped, whole, plan)

    def _few_samples(self, take: Callable[[], Sample], max_seconds: float) -> list[Sample]:
        """As few as a profile takes: until enough were undisturbed, with patience."""
        samples: list[Sample] = []
        kept, passes = 0, MAX_PASSES
        end = time.monotonic() + max_seconds
        self._yardstick.forget()
        while len(samples) < PATIENCE * passes:
            samples.append(take())
            kept += not self._is_disturbed(samples[-1])
            pass_s = samples[-1].interval.wall_ns / 1e9
            passes = min(passes, max(MIN_PASSES, round(PASSES_SECONDS / pass_s)))
            if kept >= passes or time.monotonic() >= end:
                break
        return samples

    def _many_samples(self, take: Callable[[], Sample], max_seconds: float) -> list[Sample]:
        """So many that a median is known: undisturbed ones, over a second or more."""
        samples: list[Sample] = []
        kept = 0
        start = time.monotonic()
        self._yardstick.forget()
        while True:
            samples.append(take())
            kept += not self._is_disturbed(samples[-1])
            elapsed_s = time.monotonic() - start
            if (elapsed_s >= LAYERS_SECONDS and kept >= LAYERS_PASSES) or elapsed_s >= max_seconds:
                return samples

    def _whole(self, network: PreparedNetwork) -> Sample:
        return Sample(*self._yardstick.around(lambda: self._clock.time(network.run)))

    def _stamp(self, network: PreparedNetwork, stamped: list[tuple[StampedPass, int]]) -> Sample:
        """Add a stamped pass with the yardstick's reading beside it."""
        run_stamped = cast(StampedNetwork, network).run_stamped
        taken, reading_ns = self._yardstick.around(lambda: self._clock.time_calls(run_stamped))
        stamped.append((taken, reading_ns))
        return Sample(taken.interval, reading_ns)

    def _division(self, network: PreparedNetwork, calls: int) -> Division:
        return cast(DividedNetwork, network).division() if self._grain == "node" else undivided(calls)

    def _is_disturbed(self, sample: Sample) -> bool:
        return is_disturbed(sample, self._yardstick)

    def _of_stamps(
        self, stamped: Sequence[tuple[StampedPass, int]], whole: Sequence[Sample], plan: Plan
    ) -> LayerProfile:
        """The medians of the undisturbed passes, or of the quickest quarter where all were disturbed."""
        kept = [
            taken
            for taken, reading_ns in stamped
            if not self._is_disturbed(Sample(taken.interval, reading_ns))
        ]
        used = kept or sorted((taken for taken, _ in stamped), key=_total_ns)[: max(len(stamped) // 4, 1)]
        calls_ns = list(zip(*(taken.call_ns for taken in used), strict=True))
        return LayerProfile(
            latencies_ms=tuple(median(times_ns) / 1e6 for times_ns in calls_ns),
            spreads_ms=tuple(_spread_ms(times_ns) for times_ns in calls_ns),
            passes=len(kept),
            disturbed=len(stamped) - len(kept),
            network=summarise(whole, self._yardstick, plan),
            parts=tuple(range(len(calls_ns))),
        )

    def _divided(self, division: Division, whole: Sequence[Sample], plan: Plan) -> LayerProfile:
        """The median of the whole, divided."""
        measured = summarise(whole, self._yardstick, plan)
        kept_ns = [sample.interval.wall_ns for sample in whole if not self._is_disturbed(sample)]
        spread_ms = _spread_ms(kept_ns or quickest_quarter([sample.interval.wall_ns for sample in whole]))
        return LayerProfile(
            latencies_ms=tuple(share * measured.latency_ms for share in division.shares),
            spreads_ms=tuple(share * spread_ms for share in division.shares),
            passes=len(kept_ns),
            disturbed=len(whole) - len(kept_ns),
            network=measured,
            parts=division.parts,
        )


def _total_ns(taken: StampedPass) -> float:
    return sum(taken.call_ns)


def _spread_ms(times_ns: Sequence[float]) -> float:
    return (quantile(times_ns, 0.75) - quantile(times_ns, 0.25)) / 1e6
