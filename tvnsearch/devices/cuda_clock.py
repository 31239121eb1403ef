"""The clock of a GPU: events on its stream."""

from __future__ import annotations

import resource
import time
from itertools import pairwise

import torch

from tvnsearch.devices.clocks import Action, StampedAction, StampedPass
from tvnsearch.devices.timing import Interval


class CudaClock:
    """Waits for the device before and after each run; times layer calls by events on the current stream."""

    def time(self, run: Action) -> Interval:
        """Wall time until the result is there, as a user waits; preemptions of the host delay launches."""
        torch.cuda.synchronize()
        preemptions = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
        wall_ns = time.perf_counter_ns()
        run()
        torch.cuda.synchronize()
        wall_ns = time.perf_counter_ns() - wall_ns
        preemptions = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw - preemptions
        return Interval(wall_ns, 0, preemptions)

    def time_calls(self, run_stamped: StampedAction) -> StampedPass:
        """As :meth:`time`; a call lasts from the event before it to its own, launch gaps included."""
        events: list[torch.cuda.Event] = []

        def stamp() -> None:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
            events.append(event)

        def run() -> None:
            stamp()
            run_stamped(stamp)

        interval = self.time(run)
        call_ns = [start.elapsed_time(end) * 1e6 for start, end in pairwise(events)]
        return StampedPass(interval, tuple(call_ns))
