"""Every video decoded once: a search reads the same clips thousands of times."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.decode import BASE_RATE
from tvnsearch.data.preparation import OnPreparation, decode_all
from tvnsearch.data.stored import Form, Frames, StoredVideo
from tvnsearch.data.video import BrokenClip, source_files
from tvnsearch.errors import UserError
from tvnsearch.files import writing
from tvnsearch.genome.genome import WIDEST

OPEN_VIDEOS = 256
"""Memory maps held open, each of which holds a file: well below the 1,024 that a process may usually open."""


class Preparation(Struct, frozen=True):
    """What `ClipCache.prepare` came to.

    Videos decoded now and found decoded, broken clips with reasons, the bytes of all decoded videos of the
    data set, and how many of them are stored in which form.
    """

    decoded: int
    found: int
    broken: tuple[BrokenClip, ...]
    stored_bytes: int
    forms: dict[Form, int]


class ClipCache:
    """The videos of a data set, decoded at one resolution (their short side), in `directory`.

    `videos/` holds one file a video, named after the digest of its content and the resolution; `names/` a
    link to it for each path, size and time of change that such content was found under. So a video that was
    moved or copied is not decoded again, one that was changed is, and any number of data sets, runs and
    processes share a directory. Clips that are parts of one file share its video. Everything appears under
    its name only when it is whole: a kill loses the videos in flight and nothing else.
    """

    def __init__(self, dataset: Dataset, resolution: int, directory: Path) -> None:
        self.dataset = dataset
        self.resolution = resolution
        self.directory = directory
        self._names: dict[Path, Path] = {}
        self._usable: set[Clip] = set()
        self._open = lru_cache(maxsize=OPEN_VIDEOS)(StoredVideo)

    def prepare(self, on_progress: OnPreparation | None = None) -> Preparation:
        """Decode the videos that are missing, reporting how far that is.

        Broken clips are collected, left out of `usable`, and tried again by the next call.

        Raises UserError when every clip of a split is broken, or the disk is too small or not to be written.
        """
        with writing(self.directory, "or set XDG_CACHE_HOME to another folder"):
            for folder in ("names", "videos"):
                (self.directory / folder).mkdir(parents=True, exist_ok=True)
        paths = dict.fromkeys(clip.path for clip in self.dataset.clips)
        missing = [path for path in paths if self._stored(path) is None]
        done = decode_all(
            missing, self.resolution, self.directory / "videos", self._video, self._keep, on_progress
        )
        broken: dict[Clip, BrokenClip] = {}
        for clip in self.dataset.clips:
            if clip.path in done.broken:
                broken[clip] = done.broken[clip.path]
            elif failure := self._problem(clip):
                broken[clip] = failure
        for name, split in self.dataset.splits.items():
            if split and all(clip in broken for clip in split):
                raise UserError(
                    f"expected videos that can be decoded in the {name} split of {self.dataset.root}, "
                    f"but all {len(split)} are broken (for example {broken[split[0]]}); replace them"
                )
        forms: Counter[Form] = Counter()
        stored_bytes = 0
        for path in paths:
            if video := self._stored(path):
                forms[video.form] += 1
                stored_bytes += video.size_bytes
        return Preparation(
            done.decoded,
            len(paths) - len(missing) + done.known,
            tuple({(failure.path, failure.reason): failure for failure in broken.values()}.values()),
            stored_bytes,
            dict(forms),
        )

    def usable(self, clips: Iterable[Clip]) -> tuple[Clip, ...]:
        """Those of `clips` that were decoded: the rest is broken or not prepared yet."""
        return tuple(clip for clip in clips if clip in self._usable or self._problem(clip) is None)

    def frames(self, clip: Clip) -> Frames:
        """The frames of a prepared clip, still on disk.

        Raises BrokenClip when the clip was not decoded, or too few frames of it could be.
        """
        video = self._stored(clip.path)
        if video is None:
            raise BrokenClip(clip.path, "it is not in the cache")
        return video.part(clip.path, clip.start_s, clip.end_s)

    def _problem(self, clip: Clip) -> BrokenClip | None:
        try:
            self.frames(clip)
        except BrokenClip as failure:
            return failure
        self._usable.add(clip)
        return None

    def _stored(self, path: Path) -> StoredVideo | None:
        try:
            return self._open(self._name(path))
        except (OSError, ValueError):  # not there, or not whole
            return None

    def _name(self, path: Path) -> Path:
        """The link to a video, by what can be known without reading it.

        Raises OSError when its file cannot be looked at.
        """
        if path not in self._names:
            state = path.stat()
            known = (str(path.absolute()), state.st_size, state.st_mtime_ns, *self._making())
            digest = hashlib.blake2b(repr(known).encode(errors="surrogateescape"), digest_size=16)
            self._names[path] = self.directory / "names" / digest.hexdigest()
        return self._names[path]

    def _video(self, path: Path) -> Path:
        """The file of a decoded video, by its content.

        Raises OSError when it cannot be read.
        """
        digest = hashlib.blake2b(repr(self._making()).encode(), digest_size=16)
        for source in source_files(path):
            with source.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
        return self.directory / "videos" / f"{digest.hexdigest()}.clip"

    def _keep(self, path: Path, video: Path) -> None:
        """Point the name of a path to its video.

        Raises OSError when the disk is full.
        """
        name, target = self._name(path), Path("..") / "videos" / video.name
        with suppress(FileNotFoundError):
            if name.readlink() == target:
                return
            name.unlink()
        with suppress(FileExistsError):  # another process was faster
            name.symlink_to(target)

    def _making(self) -> tuple[float, ...]:
        return (self.resolution, BASE_RATE, WIDEST)
