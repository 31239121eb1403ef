"""The clock of a video, made to go on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

MOST_DISORDER_S = 0.5
"""A frame that is earlier than the one before it by no more is out of order; by more, the clock was set."""


def onward(
    timed: Iterable[tuple[float, T]], step_s: float, most_gap_s: float = math.inf
) -> Iterator[tuple[float, T]]:
    """Things with their times in seconds, the times changed so that they never step back.

    What is a little out of order has the time of the one before. Where the clock was set back, or ahead by
    more than `most_gap_s`, it goes on a step after the one before: as long a step as the last one, at the
    beginning `step_s`. So a recording in two parts, each with a clock of its own, is shown in one go.
    """
    shift_s = 0.0
    before_s: float | None = None
    for said_s, thing in timed:
        time_s = said_s + shift_s
        if before_s is not None:
            if not -MOST_DISORDER_S <= time_s - before_s <= most_gap_s:
                shift_s += before_s + step_s - time_s
                time_s = before_s + step_s
            time_s = max(time_s, before_s)
            step_s = time_s - before_s or step_s
        before_s = time_s
        yield time_s, thing
