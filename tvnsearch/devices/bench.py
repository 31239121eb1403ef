"""The timing bench: this process set up to time networks on one device, and the two things it does."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import torch

from tvnsearch.devices.backends import load_backend
from tvnsearch.devices.clocks import Clock, HostClock, StampedPass
from tvnsearch.devices.cuda_clock import CudaClock
from tvnsearch.devices.device import Device, fingerprint_digest, usable_cores
from tvnsearch.devices.fingerprint import fingerprint
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.devices.memory import require_memory
from tvnsearch.devices.reference import keep_best_ns, known_best_ns
from tvnsearch.devices.timing import (
    Interval,
    Plan,
    Sample,
    Yardstick,
    is_disturbed,
    measure_in_rounds,
    quantile,
    summarise,
    warm_up,
)
from tvnsearch.genome.genome import Genome

WARM_UP_SECONDS = 2.0
MIN_PASSES, MAX_PASSES = 8, 31
PASSES_SECONDS = 0.5
"""The time for a profile's stamped passes, within those bounds."""

PATIENCE = 3
"""How many times the passes asked for are taken at most, when they are disturbed."""

PROFILE_HALF_WIDTH_PERCENT = 3.0
"""A dozen passes do not tell a median to 1 %; a profile's own network measurement is trusted from here on."""

YARDSTICK_SIZE = 320
YARDSTICK_VALUES = 2**18


class Bench:
    """This process, made ready to time networks on ``device``: use one in a process of its own."""

    def __init__(self, device: Device) -> None:
        self.device = device
        torch.set_flush_denormal(True)  # before the thread pool starts: its threads inherit the setting
        torch.set_num_threads(device.threads)
        if device.name == "cpu" and hasattr(os, "sched_setaffinity"):
            # the first core serves most interrupts
            os.sched_setaffinity(0, usable_cores()[-device.threads :])
        self._clock: Clock = CudaClock() if device.name == "cuda" else HostClock(device.threads)
        self._prepare = load_backend(device.backend)
        timer = self._yardstick_timer()
        self._digest = fingerprint_digest(fingerprint(device))
        self._yardstick = Yardstick(timer, known_best_ns(self._digest))
        self._profiling_yardstick = Yardstick(timer)

    def measure(self, genomes: Sequence[Genome], classes: int, plan: Plan) -> list[Measurement]:
        """Time whole networks, interleaved.

        Raises:
            UserError: they do not fit in memory.
        """
        require_memory(genomes, classes, self.device)
        with _no_garbage_collection():
            timers = [self._warm_timer(genome, classes) for genome in genomes]
            measured = measure_in_rounds(timers, self._yardstick, plan)
        keep_best_ns(self._digest, self._yardstick.usual_best_ns)
        return measured

    def profile(self, genome: Genome, classes: int, max_seconds: float) -> LayerProfile:
        """Time each layer call of a network while the whole of it runs, and the whole unstamped in between.

        A layer call's latency is the median over the undisturbed passes: the sum of medians is what agrees
        best with the median of the whole (on a busy machine quartiles and minima fall 5 and 11 % short). Ends
        when enough passes were undisturbed, when three times as many were taken, or after ``max_seconds``;
        without a single undisturbed one, the quickest quarter counts. The machine is held to the best of this
        process alone: in a slow phase of hours a table of that phase is better than none.

        Raises:
            UserError: it does not fit in memory.
        """
        require_memory([genome], classes, self.device)
        with _no_garbage_collection():
            network = self._prepare(genome, classes, self.device)

            def time_once() -> Interval:
                return self._clock.time(network.run)

            def time_calls() -> StampedPass:
                return self._clock.time_calls(network.run_stamped)

            warm_up(time_once, WARM_UP_SECONDS)
            pass_s = time_once().wall_ns / 1e9
            passes = max(MIN_PASSES, min(MAX_PASSES, round(PASSES_SECONDS / pass_s)))
            return self._profile_in_turns(time_once, time_calls, passes, max_seconds)

    def _profile_in_turns(
        self,
        time_once: Callable[[], Interval],
        time_calls: Callable[[], StampedPass],
        passes: int,
        max_seconds: float,
    ) -> LayerProfile:
        whole: list[Sample] = []
        stamped: list[tuple[StampedPass, int]] = []
        end = time.monotonic() + max_seconds
        self._profiling_yardstick.forget()
        for _ in range(PATIENCE * passes):
            whole.append(Sample(*self._profiling_yardstick.around(time_once)))
            stamped.append(self._profiling_yardstick.around(time_calls))
            kept = [taken for taken, reading_ns in stamped if self._is_kept(taken.interval, reading_ns)]
            kept_whole = sum(self._is_kept(*sample) for sample in whole)
            if min(len(kept), kept_whole) >= passes or time.monotonic() >= end:
                break
        used = kept or sorted((taken for taken, _ in stamped), key=_total_ns)[: max(len(stamped) // 4, 1)]
        calls_ns = list(zip(*(taken.call_ns for taken in used), strict=True))
        plan = Plan(max_seconds, half_width_percent=PROFILE_HALF_WIDTH_PERCENT, min_samples=MIN_PASSES)
        return LayerProfile(
            latencies_ms=tuple(median(times_ns) / 1e6 for times_ns in calls_ns),
            spreads_ms=tuple(
                (quantile(times_ns, 0.75) - quantile(times_ns, 0.25)) / 1e6 for times_ns in calls_ns
            ),
            passes=len(kept),
            disturbed=len(stamped) - len(kept),
            network=summarise(whole, self._profiling_yardstick, plan),
        )

    def _is_kept(self, interval: Interval, yardstick_ns: int) -> bool:
        return not is_disturbed(Sample(interval, yardstick_ns), self._profiling_yardstick)

    def _warm_timer(self, genome: Genome, classes: int) -> Callable[[], Interval]:
        network = self._prepare(genome, classes, self.device)

        def time_once() -> Interval:
            return self._clock.time(network.run)

        warm_up(time_once, WARM_UP_SECONDS)
        return time_once

    def _yardstick_timer(self) -> Callable[[], Interval]:
        """A matrix product and a copy that live in cache: about 0.6 ms on one core."""
        square = torch.randn(YARDSTICK_SIZE, YARDSTICK_SIZE, device=self.device.name)
        product = torch.empty_like(square)
        values = torch.randn(YARDSTICK_VALUES, device=self.device.name)
        copied = torch.empty_like(values)

        def kernel() -> None:
            torch.mm(square, square, out=product)
            copied.copy_(values)

        return lambda: self._clock.time(kernel)


def _total_ns(taken: StampedPass) -> float:
    return sum(taken.call_ns)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
