"""How quickly memory is copied right now.

What else runs on the host of a virtual machine slows its memory in phases of minutes, and with it networks:
each by its own share, some by twice as much as the copy, some hardly. The yardstick, which lives in cache,
does not show it. Over 28 processes, each measuring the same eight networks, the median copy of 16 MB went
with their mean latency (correlation 0.91); three processes in a row differed from three others by 1.4 %
(median; 95th percentile 6.8 %), the three of six with the quickest copies by 0.9 % (4.8 %).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from tvnsearch.devices.timing import Interval

EVERY_SECONDS = 0.1
"""Readings are this far apart: a copy pushes what the next network left in cache out of it."""


class MemoryGauge:
    """Times a copy now and then while networks are measured; ``time_copy`` makes one and times it."""

    def __init__(self, time_copy: Callable[[], Interval], now: Callable[[], float] = time.monotonic) -> None:
        self._time_copy = time_copy
        self._now = now
        self._next = -1.0
        self._readings_ns: list[int] = []

    @property
    def copy_ns(self) -> int:
        """The median reading."""
        return round(median(self._readings_ns))

    def read_if_due(self) -> bool:
        """Read, unless the last reading is not long ago; whether it was read."""
        if self._now() < self._next:
            return False
        self._readings_ns.append(self._time_copy().wall_ns)
        self._next = self._now() + EVERY_SECONDS
        return True
