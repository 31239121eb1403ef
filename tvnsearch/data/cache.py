"""Every clip decoded once: a search reads the same clips thousands of times."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.decode import MAX_FRAMES, decode_clip
from tvnsearch.data.video import BrokenClip
from tvnsearch.errors import UserError

OPEN_CLIPS = 4096
"""Memory maps held open: well below the 65,530 that Linux grants a process, so memory stays flat."""


class Preparation(Struct, frozen=True):
    """What `ClipCache.prepare` came to: clips decoded now, clips found decoded, broken clips with reasons."""

    decoded: int
    found: int
    broken: tuple[BrokenClip, ...]


class ClipCache:
    """The clips of a data set as uint8 arrays in `directory`, one `.npy` file a clip, at one resolution.

    A file is named after the digest of the clip's path, size, time of change, its part of the file and the
    resolution: a changed clip is decoded anew, and any number of data sets, runs and processes may share a
    directory. A file appears under its name only when it is whole: a kill loses the clips in flight and
    nothing else.
    """

    def __init__(self, dataset: Dataset, resolution: int, directory: Path) -> None:
        self.dataset = dataset
        self.resolution = resolution
        self.directory = directory
        self._entries: dict[tuple[Path, float, float | None], Path] = {}
        self._open = lru_cache(maxsize=OPEN_CLIPS)(_open)

    def prepare(self, on_progress: Callable[[int, int], None] | None = None) -> Preparation:
        """Decode the clips that are missing, reporting (clips done, clips in all).

        Broken clips are collected, left out of `usable`, and tried again by the next call.

        Raises UserError when every clip of a split is broken.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        clips = self.dataset.clips
        missing = [clip for clip in clips if not self._is_cached(clip)]
        broken = []
        done = len(clips) - len(missing)
        pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
        try:
            for failure in pool.map(self._decode, missing):
                if failure:
                    broken.append(failure)
                done += 1
                if on_progress:
                    on_progress(done, len(clips))
        finally:
            pool.shutdown(cancel_futures=True)
        reasons = {failure.path: failure for failure in broken}
        for name, split in self.dataset.splits.items():
            if not self.usable(split):
                raise UserError(
                    f"expected videos that can be decoded in the {name} split of {self.dataset.root}, "
                    f"but all {len(split)} are broken (for example {reasons[split[0].path]}); replace them"
                )
        return Preparation(len(missing) - len(broken), len(clips) - len(missing), tuple(broken))

    def usable(self, clips: Iterable[Clip]) -> tuple[Clip, ...]:
        """Those of `clips` that were decoded: the rest is broken or not prepared yet."""
        return tuple(clip for clip in clips if self._is_cached(clip))

    def frames(self, clip: Clip) -> npt.NDArray[np.uint8]:
        """A prepared clip as a read-only memory map of shape (frames, resolution, resolution, 3).

        Raises BrokenClip when the clip was not decoded.
        """
        entry = self._entry(clip)
        if entry is None or not entry.is_file():
            raise BrokenClip(clip.path, "it is not in the cache")
        return self._open(entry)

    def _decode(self, clip: Clip) -> BrokenClip | None:
        entry = self._entry(clip)
        if entry is None:
            return BrokenClip(clip.path, "no such file")
        try:
            frames = decode_clip(clip.path, self.resolution, start_s=clip.start_s, end_s=clip.end_s)
        except BrokenClip as failure:
            return failure
        part = entry.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        with part.open("wb") as file:
            np.save(file, frames)
        part.replace(entry)
        return None

    def _is_cached(self, clip: Clip) -> bool:
        entry = self._entry(clip)
        return entry is not None and entry.is_file()

    def _entry(self, clip: Clip) -> Path | None:
        """Where a clip's frames are kept; None when its file cannot be looked at."""
        part = (clip.path, clip.start_s, clip.end_s)
        if part not in self._entries:
            try:
                state = clip.path.stat()
            except OSError:
                return None
            content = (
                str(clip.path.absolute()),
                state.st_size,
                state.st_mtime_ns,
                clip.start_s,
                clip.end_s,
                self.resolution,
                MAX_FRAMES,
            )
            digest = hashlib.sha256(repr(content).encode(errors="surrogateescape")).hexdigest()[:32]
            self._entries[part] = self.directory / f"{digest}.npy"
        return self._entries[part]


def _open(entry: Path) -> npt.NDArray[np.uint8]:
    frames: npt.NDArray[np.uint8] = np.load(entry, mmap_mode="r", allow_pickle=False)
    return frames
