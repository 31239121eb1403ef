"""What is in a data set before anything is trained on it: lengths, sizes, codecs, balance, broken files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from msgspec import Struct

from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.decode import check_whole, thinning
from tvnsearch.data.video import BrokenClip, frames_between, nothing_between, open_video


class VideoFacts(Struct, frozen=True):
    """What a video file is: its codec, the size of its frames in pixels, and how many of them there are.

    `announced` frames are those of the file's own account (0: it gives none), `frames` those that are there;
    `frame_rate` is in frames a second (None: not said).
    """

    codec: str
    width: int
    height: int
    frames: int
    announced: int
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
    `frames_per_clip` and `seconds_per_clip` are of usable clips, and None where there are none (for seconds:
    none whose file says its frame rate). Of `thinned` clips, which are faster than the base rate, not every
    frame is used.
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
    """A clip that is not broken, with the frames of its part of the file."""

    split: str
    clip: Clip
    frames: int
    facts: VideoFacts


def look_at(path: Path) -> VideoFacts:
    """Read all packets of a file and decode its first frame: a hundredth of the work of decoding it.

    Raises BrokenClip when it is no video or lacks its frames. Damage inside the pictures after the first is
    not seen; it is told of when the clip is decoded.
    """
    with open_video(path) as video:
        announced, rate = video.announced_frames, video.frame_rate
        frames = video.count_frames()
        codec = video.stream.codec_context
        return VideoFacts(codec.name, codec.width, codec.height, frames, announced, rate)


def inspect_dataset(dataset: Dataset, on_progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Look at every file of a data set, reporting (files done, files in all)."""
    files = sorted({clip.path for clip in dataset.clips})
    facts: dict[Path, VideoFacts | BrokenClip] = {}
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    try:
        for path, found in zip(files, pool.map(_look_or_tell, files), strict=True):
            facts[path] = found
            if on_progress:
                on_progress(len(facts), len(files))
    finally:
        pool.shutdown(cancel_futures=True)
    broken: dict[str, str] = {}
    seen = list(_seen(dataset, facts, broken))
    return _summary(dataset, seen, broken)


def _look_or_tell(path: Path) -> VideoFacts | BrokenClip:
    try:
        return look_at(path)
    except BrokenClip as failure:
        return failure


def _seen(
    dataset: Dataset, facts: dict[Path, VideoFacts | BrokenClip], broken: dict[str, str]
) -> Iterator[_Seen]:
    """The clips that are not broken; the others' files are put into `broken`."""
    for split, clips in dataset.splits.items():
        for clip in clips:
            found = facts[clip.path]
            try:
                if isinstance(found, BrokenClip):
                    raise found
                yield _Seen(split, clip, _frames_of_part(clip, found), found)
            except BrokenClip as failure:
                broken.setdefault(str(failure.path), failure.reason)


def _frames_of_part(clip: Clip, facts: VideoFacts) -> int:
    frames, announced = (
        frames_between(count, facts.frame_rate, clip.start_s, clip.end_s)
        for count in (facts.frames, facts.announced)
    )
    if frames == 0:
        raise nothing_between(clip.path, clip.start_s, clip.end_s)
    check_whole(clip.path, frames, announced)
    return frames


def _summary(dataset: Dataset, seen: list[_Seen], broken: dict[str, str]) -> Inspection:
    files = {each.clip.path: each.facts for each in seen}.values()
    usable = Counter(each.split for each in seen)
    balance = {name: dict.fromkeys(dataset.splits, 0) for name in dataset.classes}
    for each in seen:
        for label in each.clip.labels:
            balance[dataset.classes[label]][each.split] += 1
    seconds = [each.frames / each.facts.frame_rate for each in seen if each.facts.frame_rate]
    return Inspection(
        clips={split: len(clips) for split, clips in dataset.splits.items()},
        usable={split: usable[split] for split in dataset.splits},
        broken=broken,
        codecs=_counted(facts.codec for facts in files),
        resolutions=_counted(f"{facts.width}x{facts.height}" for facts in files),
        frame_rates=_counted(f"{facts.frame_rate:.4g}" if facts.frame_rate else "unknown" for facts in files),
        frames_per_clip=_spread([each.frames for each in seen]),
        seconds_per_clip=_spread(seconds),
        thinned=sum(thinning(each.facts.frame_rate) > 1 for each in seen),
        balance=balance,
    )


def _counted(values: Iterator[str]) -> dict[str, int]:
    """How often each value comes, the most frequent first."""
    return dict(Counter(values).most_common())


def _spread(values: list[int] | list[float]) -> Spread | None:
    return Spread(min(values), median(values), max(values)) if values else None


__all__ = ["Inspection", "Spread", "VideoFacts", "inspect_dataset", "look_at"]
