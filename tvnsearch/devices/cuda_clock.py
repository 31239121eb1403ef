"""The clock of a GPU: events on its stream, with nothing of the run before left in its cache."""

from __future__ import annotations

import resource
from itertools import pairwise

import torch

from tvnsearch.devices.clocks import Action, StampedAction, StampedPass
from tvnsearch.devices.timing import Interval

CACHE_SIZES_FLUSHED = 2
"""How many times the second-level cache is overwritten before a run."""


class CudaClock:
    """Times a run by events on the current stream, from an idle device with a cold cache to its last kernel.

    Everything goes through that one queue. The device is idle when the first event is recorded, so the gap
    until the first kernel arrives is part of the time, as it is for who waits for a result. Before it the
    cache is overwritten: a network that is run again and again in a loop would find its weights there.
    """

    def __init__(self) -> None:
        cache_bytes = torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size
        self._eviction = torch.empty(CACHE_SIZES_FLUSHED * cache_bytes, dtype=torch.int8, device="cuda")

    def time(self, run: Action) -> Interval:
        """Time on the device; preemptions of the host delay launches."""

        def run_stamped(stamp: Action) -> None:
            run()
            stamp()

        return self.time_calls(run_stamped).interval

    def time_calls(self, run_stamped: StampedAction) -> StampedPass:
        """As :meth:`time`; a call lasts from the event before it to its own, launch gaps included."""
        events: list[torch.cuda.Event] = []

        def stamp() -> None:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
            events.append(event)

        self._eviction.zero_()
        torch.cuda.synchronize()
        preemptions = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
        stamp()
        run_stamped(stamp)
        torch.cuda.synchronize()
        preemptions = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw - preemptions
        call_ns = [start.elapsed_time(end) * 1e6 for start, end in pairwise(events)]
        return StampedPass(Interval(round(sum(call_ns)), 0, preemptions), tuple(call_ns))
