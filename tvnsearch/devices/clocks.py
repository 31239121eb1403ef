"""Clocks: how long a run, or each layer call of it, took on the host's processor. Imports no torch."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

from tvnsearch.devices.timing import Interval

Action = Callable[[], None]
StampedAction = Callable[[Callable[[], None]], None]


class StampedPass(NamedTuple):
    """A whole pass, and the time of each layer call in it."""

    interval: Interval
    call_ns: tuple[float, ...]


class Clock(Protocol):
    """Times runs on one device."""

    def time(self, run: Action) -> Interval:
        """One run, from its call until its result is there."""
        ...

    def time_calls(self, run_stamped: StampedAction) -> StampedPass:
        """One run that stamps the end of each layer call."""
        ...


class HostClock:
    """Clocks of the operating system, for networks that run on the processor.

    One thread's layer calls are timed by the processor time of that thread, which stands still while another
    process has the core; several threads' by the wall clock.
    """

    def __init__(self, threads: int) -> None:
        self._single = threads == 1
        self._who = resource.RUSAGE_THREAD if self._single else resource.RUSAGE_SELF
        self._stamp_clock = time.thread_time_ns if self._single else time.perf_counter_ns
        self._stamp_cost_ns = self._cost_of_a_stamp()

    def time(self, run: Action) -> Interval:
        """Wall time, processor time (single-threaded only), and how often the kernel took the core away."""
        preemptions = resource.getrusage(self._who).ru_nivcsw
        cpu_ns = time.thread_time_ns()
        wall_ns = time.perf_counter_ns()
        run()
        wall_ns = time.perf_counter_ns() - wall_ns
        cpu_ns = time.thread_time_ns() - cpu_ns
        preemptions = resource.getrusage(self._who).ru_nivcsw - preemptions
        return Interval(wall_ns, cpu_ns if self._single else 0, preemptions)

    def time_calls(self, run_stamped: StampedAction) -> StampedPass:
        """As :meth:`time`; the cost of taking the stamps is taken off the layer calls and off the pass."""
        stamps_ns: list[int] = []
        clock, keep = self._stamp_clock, stamps_ns.append

        def run() -> None:
            keep(clock())
            run_stamped(lambda: keep(clock()))

        interval = self.time(run)
        cost_ns = self._stamp_cost_ns
        call_ns = [max(end - start - cost_ns, 0.0) for start, end in pairwise(stamps_ns)]
        all_ns = round(cost_ns * len(stamps_ns))
        unstamped = Interval(
            interval.wall_ns - all_ns, max(interval.cpu_ns - all_ns, 0), interval.preemptions
        )
        return StampedPass(unstamped, tuple(call_ns))

    def _cost_of_a_stamp(self) -> float:
        stamps_ns: list[int] = []
        clock, keep = self._stamp_clock, stamps_ns.append

        def stamp() -> None:
            keep(clock())

        for _ in range(1000):
            stamp()
        gaps_ns = sorted(end - start for start, end in pairwise(stamps_ns))
        return gaps_ns[len(gaps_ns) // 2]
