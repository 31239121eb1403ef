"""Stored videos of a cache, found by the name or the content of their sources, at any size that serves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av

from tvnsearch.data.cache_folder import NAMES, VIDEOS
from tvnsearch.data.decode import BASE_RATE, DECODING
from tvnsearch.data.manifest import NOT_STORED, Manifest, StoredFile
from tvnsearch.data.stored import open_stored
from tvnsearch.data.stored_sizes import sizes_that_serve, smaller_sizes
from tvnsearch.data.video import source_files
from tvnsearch.genome.genome import WIDEST

DECODER = (
    f"decoding {DECODING}, PyAV {av.__version__}, "
    f"libavcodec {'.'.join(str(number) for number in av.library_versions['libavcodec'])}"
)
"""What decodes here, as a manifest has it."""


class VideoStore:
    """The videos in `directory` that serve networks which look at `resolution` pixels; new ones have `size`.

    `videos/` holds one file a video and size, named after the digest of its content; `names/` a link to it
    for each path, size and time of change that such content was found under.
    """

    def __init__(self, directory: Path, resolution: int, size: int) -> None:
        self.directory, self.resolution, self.size = directory, resolution, size
        self.videos = directory / VIDEOS

    def found(self, path: Path, known: Manifest | None = None) -> StoredFile | None:
        """What is stored of a file: what is known of it, if it is as it was, else by its name."""
        try:
            state = path.stat()
        except OSError:
            return None
        if known is not None:
            record = recorded(known, path)
            if is_as_it_was(record, state) and self.has(record):
                return record
        name = _name(path, state)

        def stored_at(size: int) -> Path:
            return self.videos / (self.directory / NAMES / f"{name}.{size}").readlink().name

        return self._of_size(stored_at, state.st_size, state.st_mtime_ns)

    def of_content(self, record: StoredFile) -> StoredFile | None:
        """A stored video of the content that is known: the known one, or another that serves."""
        if self.has(record):
            return record

        def stored_at(size: int) -> Path:
            return self.videos / f"{record.content}.{size}.clip"

        return self._of_size(stored_at, record.source_bytes, record.source_mtime_ns)

    def has(self, record: StoredFile) -> bool:
        """Whether the video that is known is there, whole, and large enough."""
        if not record.video or record.resolution < self.resolution:
            return False
        try:
            return (self.videos / record.video).stat().st_size == record.stored_bytes
        except OSError:
            return False

    def target(self, path: Path) -> Path:
        """The file that a video is decoded into, by its content.

        Raises OSError when it cannot be read.
        """
        return self.videos / f"{content_of(path)}.{self.size}.clip"

    def keep(self, path: Path, video: Path) -> None:
        """Point the name of a path to its video.

        Raises OSError when the disk is full.
        """
        name = self.directory / NAMES / f"{_name(path, path.stat())}.{self.size}"
        target = Path("..") / VIDEOS / video.name
        with suppress(FileNotFoundError):
            if name.readlink() == target:
                return
            name.unlink()
        with suppress(FileExistsError):  # another process was faster
            name.symlink_to(target)

    def _of_size(
        self, stored_at: Callable[[int], Path], source_bytes: int, source_mtime_ns: int
    ) -> StoredFile | None:
        """The smallest stored video that serves, or any of a source that is no larger itself."""
        for size in (*sizes_that_serve(self.resolution, self.size), *smaller_sizes(self.resolution)):
            try:
                path = stored_at(size)
            except OSError:
                continue
            video = open_stored(path)
            if video is not None and (size >= self.resolution or min(video.height, video.width) < size):
                return StoredFile(
                    video=path.name,
                    resolution=max(size, self.resolution),
                    frames=len(video.timeline.times_s),
                    duration_s=video.timeline.end_s,
                    form=video.form,
                    stored_bytes=video.size_bytes,
                    decoder="",
                    source_bytes=source_bytes,
                    source_mtime_ns=source_mtime_ns,
                )
        return None


def recorded(manifest: Manifest, path: Path) -> StoredFile:
    """What a manifest says of a file."""
    row = manifest.file_row(path)
    return NOT_STORED if row is None else manifest.stored(row)


def is_as_it_was(record: StoredFile, state: os.stat_result) -> bool:
    """Whether a file has the size and the time of change that it had."""
    return (record.source_bytes, record.source_mtime_ns) == (state.st_size, state.st_mtime_ns)


def content_of(path: Path) -> str:
    """The digest of a source's content, and of how it is decoded.

    Raises OSError when it cannot be read.
    """
    digest = hashlib.blake2b(repr(_MAKING).encode(), digest_size=16)
    for source in source_files(path):
        with source.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


_MAKING = (DECODING, BASE_RATE, WIDEST)
"""What decides, beside its source and its size, what is in a stored video."""


def _name(path: Path, state: os.stat_result) -> str:
    """The name of a link to a video but for its size, by what can be known without reading the source."""
    known = (str(path.absolute()), state.st_size, state.st_mtime_ns, *_MAKING)
    return hashlib.blake2b(repr(known).encode(errors="surrogateescape"), digest_size=16).hexdigest()
