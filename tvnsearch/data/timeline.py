"""When the frames of a video are shown, which of them a clip consists of, and whether that is whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tvnsearch.data.video import BrokenClip

TIME_ROUNDING_S = 0.001
"""Matroska and webm round the times of frames to milliseconds."""

WHOLE_ENOUGH = 0.75
"""Share of its time that a clip must show. A lost tail changes what it shows."""


SAME_S = 1e-6
"""Times that differ by no more are the same."""


class Timeline(NamedTuple):
    """When the frames of a video are shown: float64 seconds after its beginning, which never step back.

    Each is shown until the next, less the `lost_s` seconds directly before that one of which the pictures are
    damaged, and the last until `end_s`. `announced_s` is how long the pictures last by the file's own
    account: None where it gives none, infinite where it is known to break off.
    """

    times_s: npt.NDArray[np.float64]
    lost_s: npt.NDArray[np.float64]
    end_s: float
    announced_s: float | None


def clip_of(timeline: Timeline, path: Path, start_s: float = 0.0, end_s: float | None = None) -> range:
    """Numbers of the frames that are shown from `start_s` until before `end_s` (None: the end).

    Raises BrokenClip of `path` when there are none, or they are shown for less than three quarters of that
    time, as far as the file announces pictures in it.
    """
    times_s = timeline.times_s
    until_s = np.append(times_s[1:] - timeline.lost_s[1:], timeline.end_s)
    first, last = 0, len(times_s)
    if start_s:
        first = int(np.searchsorted(times_s, start_s + TIME_ROUNDING_S, side="right")) - 1
        if first < 0 or until_s[first] <= start_s + TIME_ROUNDING_S:
            first += 1
    if end_s is not None:
        last = int(np.searchsorted(times_s, end_s - TIME_ROUNDING_S))
    if last <= first:
        end = "the end" if end_s is None else f"{end_s:g} s"
        where = f" between {start_s:g} s and {end}" if start_s or end_s is not None else ""
        raise BrokenClip(path, f"no frame of it{where} can be decoded")
    ends_s = math.inf if end_s is None else end_s
    shown_s = np.minimum(until_s[first:last], ends_s) - np.maximum(times_s[first:last], start_s)
    check_whole(path, float(shown_s.clip(0).sum()), min(ends_s, announced_end_s(timeline)) - start_s)
    return range(first, last)


def announced_end_s(timeline: Timeline) -> float:
    """Until when there are pictures, as far as that is known."""
    return timeline.end_s if timeline.announced_s is None else timeline.announced_s


def check_whole(path: Path, shown_s: float, of_s: float) -> None:
    """Accept a clip that shows `shown_s` seconds of `of_s`.

    Raises BrokenClip when that is too little.
    """
    if shown_s >= WHOLE_ENOUGH * of_s:
        return
    if math.isinf(of_s):
        raise BrokenClip(path, f"it is truncated: it breaks off after {shown_s:.3g} s")
    raise BrokenClip(path, f"it is truncated: only {shown_s:.3g} of {of_s:.3g} s can be decoded")


def nearest(times_s: npt.NDArray[np.float64], wanted_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Numbers of those of the ascending times nearest to each wanted one; of two as near the later."""
    between_s = (times_s[1:] + times_s[:-1]) / 2
    return np.searchsorted(between_s, wanted_s + SAME_S, side="right").astype(np.int64)
