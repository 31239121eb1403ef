"""What is in a data set before anything is trained on it: lengths, sizes, codecs, balance, broken files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from msgspec import Struct

from tvnsearch.cores import usable_threads
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.decode import is_fast, seen_size
from tvnsearch.data.timeline import Timeline, clip_of
from tvnsearch.data.video import BrokenClip, open_video

MOST_THREADS = 16

RIGHT_RATE = 0.05
"""Share by which the frame rate that a file gives may differ from what its frames' times come to."""


class VideoFacts(Struct, frozen=True):
    """What a video file is: its codec, and the size in square pixels and number of the frames that are seen.

    They are shown for `seconds`, of `announced_s` by the file's own account (None: it gives none).
    `frame_rate` is in frames a second: the file's own where that is about right, else what it comes to (None:
    of a single frame whose file gives none).
    """

    codec: str
    width: int
    height: int
    frames: int
    seconds: float
    announced_s: float | None
    frame_rate: float | None


class Spread(Struct, frozen=True):
    """The smallest, the middle and the largest of some values."""

    least: float
    median: float
    most: float


class Inspection(Struct, frozen=True):
    """What there is in a data set, and what a training would see of it.

    `clips` are all that are listed, `usable` those that are not broken, both by split; `broken` gives each
    broken file with its reason. `balance` counts the usable clips that show a class, by class and split.
    `frames_per_clip` and `seconds_per_clip` are of usable clips, and None where there are none. Of `thinned`
    clips, which are faster than the base rate, not every frame is used.
    """

    clips: dict[str, int]
    usable: dict[str, int]
    broken: dict[str, str]
    codecs: dict[str, int]
    resolutions: dict[str, int]
    frame_rates: dict[str, int]
    frames_per_clip: Spread | None
    seconds_per_clip: Spread | None
    thinned: int
    balance: dict[str, dict[str, int]]


class _Seen(Struct, frozen=True):
    """A clip that is not broken, with the frames and the seconds of its part of the file."""

    split: str
    clip: Clip
    frames: int
    seconds: float
    facts: VideoFacts


def look_at(path: Path) -> VideoFacts:
    """Read all packets of a file and decode its first frame: a hundredth of the work of decoding it.

    Raises BrokenClip when it is no video or no frame of it can be decoded. Damage inside the pictures after
    the first is not seen; it is told of when the clip is decoded.
    """
    return _look(path)[0]


def inspect_dataset(dataset: Dataset, on_progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Look at every file of a data set, reporting (files done, files in all)."""
    parts: dict[Path, list[tuple[str, Clip]]] = {}
    for split, clips in dataset.splits.items():
        for clip in clips:
            parts.setdefault(clip.path, []).append((split, clip))
    seen: list[_Seen] = []
    broken: dict[str, str] = {}
    files = sorted(parts)
    pool = ThreadPoolExecutor(max_workers=min(MOST_THREADS, usable_threads()))
    try:
        for done, found in enumerate(pool.map(partial(_look_at_parts, parts), files), start=1):
            for each in found:
                if isinstance(each, BrokenClip):
                    broken.setdefault(str(each.path), each.reason)
                else:
                    seen.append(each)
            if on_progress:
                on_progress(done, len(files))
    finally:
        pool.shutdown(cancel_futures=True)
    return _summary(dataset, seen, broken)


def _look_at_parts(parts: dict[Path, list[tuple[str, Clip]]], path: Path) -> list[_Seen | BrokenClip]:
    """The clips of a file, and what is wrong with the others."""
    try:
        facts, timeline = _look(path)
    except BrokenClip as failure:
        return [failure]
    found: list[_Seen | BrokenClip] = []
    for split, clip in parts[path]:
        try:
            numbers = clip_of(timeline, path, clip.start_s, clip.end_s)
        except BrokenClip as failure:
            found.append(failure)
        else:
            until_s = timeline.end_s if clip.end_s is None else min(clip.end_s, timeline.end_s)
            found.append(_Seen(split, clip, len(numbers), until_s - clip.start_s, facts))
    return found


def _look(path: Path) -> tuple[VideoFacts, Timeline]:
    with open_video(path) as video:
        said_rate, pixel_ratio = video.frame_rate, video.pixel_ratio
        first_frame, times_s = video.packets()
        timeline = Timeline(times_s, np.zeros_like(times_s), video.end_s, video.announced_s)
        codec, size = video.stream.codec_context.name, seen_size(first_frame, pixel_ratio)
    rate = said_rate
    if times_s[-1] > times_s[0]:
        shown_rate = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
        if said_rate is None or abs(said_rate / shown_rate - 1) > RIGHT_RATE:
            rate = shown_rate
    return VideoFacts(codec, *size, len(times_s), timeline.end_s, timeline.announced_s, rate), timeline


def _summary(dataset: Dataset, seen: list[_Seen], broken: dict[str, str]) -> Inspection:
    files = {each.clip.path: each.facts for each in seen}.values()
    usable = Counter(each.split for each in seen)
    balance = {name: dict.fromkeys(dataset.splits, 0) for name in dataset.classes}
    for each in seen:
        for label in each.clip.labels:
            balance[dataset.classes[label]][each.split] += 1
    return Inspection(
        clips={split: len(clips) for split, clips in dataset.splits.items()},
        usable={split: usable[split] for split in dataset.splits},
        broken=broken,
        codecs=_counted(facts.codec for facts in files),
        resolutions=_counted(f"{facts.width}x{facts.height}" for facts in files),
        frame_rates=_counted(f"{facts.frame_rate:.4g}" if facts.frame_rate else "unknown" for facts in files),
        frames_per_clip=_spread([each.frames for each in seen]),
        seconds_per_clip=_spread([each.seconds for each in seen]),
        thinned=sum(is_fast(each.facts.frame_rate or 0.0) for each in seen),
        balance=balance,
    )


def _counted(values: Iterator[str]) -> dict[str, int]:
    """How often each value comes, the most frequent first."""
    return dict(Counter(values).most_common())


def _spread(values: list[int] | list[float]) -> Spread | None:
    return Spread(min(values), median(values), max(values)) if values else None


__all__ = ["Inspection", "Spread", "VideoFacts", "inspect_dataset", "look_at"]
