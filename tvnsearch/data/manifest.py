"""A data set listed once, in one file that any process opens at once: its clips, and what is stored of them.

    magic, bytes of the header, CRC-32 of all that follows | header (msgpack) | columns

A column holds one value of every clip or of every file, as numpy reads them from a memory map, which all
processes of a machine share. Files are in the order of their paths, and a path is found by bisection; a
`Clip` is made when it is asked for. Of 300,000 clips no object is made by opening.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, overload

import msgspec
import numpy as np
import numpy.typing as npt

from tvnsearch.data.dataset import Clip, Dataset, Protocol
from tvnsearch.errors import UserError

_MAGIC = b"tvnsearch-clips2"
_PREFIX = struct.Struct("<16sQI")
_ALIGNED = 8

_Numbers = npt.NDArray[Any]
Part = tuple[Path, float, float | None]
"""A clip by its file and its time: where, from, until."""


class StoredFile(NamedTuple):
    """What a cache holds of one file: the name of the stored video (empty: none), and what it is.

    `resolution` is the short side in pixels that it was made for, `decoder` what decoded it, as far as that
    is known. `source_bytes` and `source_mtime_ns` are the file's size and time of change when it was found.
    """

    video: str
    resolution: int
    frames: int
    duration_s: float
    form: str
    stored_bytes: int
    decoder: str
    source_bytes: int
    source_mtime_ns: int

    @property
    def content(self) -> str:
        """The digest of the file's content, with which its video's name begins."""
        return self.video.partition(".")[0]


NOT_STORED = StoredFile("", 0, 0, 0.0, "", 0, "", 0, 0)


class _Header(msgspec.Struct, frozen=True):
    """What is not a column: the data set, and where each column lies: its type, first byte and length.

    Names that are not UTF-8 have their bytes here. `is_list`: the root is a list, and its folder what paths
    are relative to. `splits` are numbers of clips, which lie split by split.
    """

    root: bytes
    is_list: bool
    format: str
    classes: tuple[bytes, ...]
    multi_label: bool
    mirrorable: bool
    protocol: Protocol
    seed: int
    resolution: int
    cache: str
    splits: dict[str, int]
    names: tuple[str, ...]
    columns: dict[str, tuple[str, int, int]]


class Manifest:
    """An open manifest; made by `read_manifest`. Clips and files are known by their rows.

    Its file is locked, shared, for as long as this lives: who cleans a cache sees that it is in use.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._file = path.open("rb")
        with suppress(OSError):  # a file system without locks
            fcntl.flock(self._file, fcntl.LOCK_SH)
        content = memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))
        magic, header_bytes, checksum = _PREFIX.unpack_from(content)
        if magic != _MAGIC:
            raise ValueError("it is no list of clips")
        if zlib.crc32(content[_PREFIX.size :]) != checksum:
            raise ValueError("it is damaged")
        columns = _aligned(_PREFIX.size + header_bytes)
        header = msgspec.msgpack.decode(content[_PREFIX.size : _PREFIX.size + header_bytes], type=_Header)
        self._header, self._content, self._columns = header, content, columns
        self.root = Path(os.fsdecode(header.root)) if root is None else root
        self._base = os.fsencode(self.root.parent if header.is_list else self.root)
        self._paths, self._videos = self._texts("path"), self._texts("video")
        self._files = self._numbers("file")
        self._labels, self._labels_ends = self._numbers("labels"), self._numbers("labels.ends")
        self._starts_s, self._ends_s = self._numbers("start_s"), self._numbers("end_s")
        self._file_columns = {name: self._numbers(name) for name in _NUMBERS_OF_A_FILE}
        self._recordings, self._problems = self._texts("recording"), self._texts("problem")
        self.format, self.seed, self.resolution = header.format, header.seed, header.resolution
        self.cache = header.cache

    @property
    def address(self) -> str:
        """What opens the data set that was listed: `format:root`."""
        return f"{self.format}:{self.root}"

    @property
    def file_count(self) -> int:
        """Files that clips are of; a file's row is less than this."""
        return len(self._paths)

    @property
    def dataset(self) -> Dataset:
        """The data set as it was listed; each clip is made when it is asked for."""
        header, first = self._header, 0
        splits: dict[str, ListedClips] = {}
        for name, count in header.splits.items():
            splits[name] = ListedClips(self, np.arange(first, first + count, dtype=np.int32))
            first += count
        return Dataset(
            root=self.root,
            format=header.format,
            classes=tuple(name.decode(errors="surrogateescape") for name in header.classes),
            multi_label=header.multi_label,
            mirrorable=header.mirrorable,
            train=splits["train"],
            validation=splits["validation"],
            test=splits["test"],
            protocol=header.protocol,
        )

    def clip(self, row: int) -> Clip:
        """The clip of a row."""
        start_s, end_s = self.times_s(row)
        return Clip(
            self.file_path(int(self._files[row])),
            self.labels(row),
            start_s,
            end_s,
            self._recordings[row].decode(errors="surrogateescape"),
        )

    def labels(self, row: int) -> tuple[int, ...]:
        """The labels of the clip of a row."""
        first = self._labels_ends.item(row - 1) if row else 0
        return tuple(self._labels[first : self._labels_ends.item(row)].tolist())

    def times_s(self, row: int) -> tuple[float, float | None]:
        """From when until when in its file a clip lasts; None is the file's end."""
        end_s = self._ends_s.item(row)
        return self._starts_s.item(row), None if math.isnan(end_s) else end_s

    def problem(self, row: int) -> str:
        """Why the clip of a row cannot be used; empty where it can."""
        return self._problems[row].decode(errors="surrogateescape")

    @cached_property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Of each clip's row, whether it can be used."""
        has_video = np.diff(self._videos.ends, prepend=0) > 0
        is_whole = np.diff(self._problems.ends, prepend=0) == 0
        usable: npt.NDArray[np.bool_] = has_video[self._files] & is_whole
        return usable

    def file_row(self, path: Path) -> int | None:
        """The row of a file; None where it is not listed."""
        wanted = _relative(os.fsencode(path), self._base)
        row = bisect_left(self._paths, wanted)
        return row if row < len(self._paths) and self._paths[row] == wanted else None

    def clip_row(self, path: Path, start_s: float, end_s: float | None) -> int | None:
        """The row of a clip, by its file and its time; None where it is not listed."""
        file = self.file_row(path)
        if file is None:
            return None
        order, files = self._by_file
        first, last = np.searchsorted(files, [file, file + 1])
        rows = order[first:last].tolist()
        return next((row for row in rows if self.times_s(row) == (start_s, end_s)), None)

    def file_path(self, row: int) -> Path:
        """Where the file of a row is."""
        return Path(os.fsdecode(os.path.join(self._base, self._paths[row])))  # noqa: PTH118 - bytes

    def records(self) -> Iterator[tuple[Path, StoredFile]]:
        """Each file and what the cache holds of it."""
        return ((self.file_path(row), self.stored(row)) for row in range(self.file_count))

    def problems(self) -> Iterator[tuple[Part, str]]:
        """Each clip that cannot be used, and why; the reason is empty where nothing was prepared."""
        return ((part_of(self.clip(row)), self.problem(row)) for row in np.flatnonzero(~self.usable).tolist())

    def can_use(self, clip: Clip) -> bool:
        """Whether a clip can be used; one of a time that is not listed can, if its file is stored."""
        row = self.file_row(clip.path)
        if row is None or not self.video(row):
            return False
        return (row, clip.start_s, clip.end_s) not in self._unusable_parts

    def lists_usable(self, clip: Clip, stored: StoredFile) -> bool:
        """Whether a clip is listed, and can be used, with what is `stored` of its file."""
        row = self.clip_row(*part_of(clip))
        return row is not None and bool(self.usable[row]) and self.stored(int(self._files[row])) == stored

    def video(self, row: int) -> str:
        """The name of the stored video of a file; empty where there is none."""
        return self._videos[row].decode()

    def stored(self, row: int) -> StoredFile:
        """What the cache holds of a file."""
        value: dict[str, Any] = {name: column.item(row) for name, column in self._file_columns.items()}
        for name in _NAMES_OF_A_FILE:
            value[name] = self._header.names[value[name]]
        return StoredFile(video=self.video(row), **value)

    def identity(self, rows: Iterable[int]) -> str:
        """What tells these clips from others, wherever they lie: a digest of files, labels and times."""
        digest = hashlib.sha256()
        for row in rows:
            told = repr((self._paths[int(self._files[row])], self.labels(row), *self.times_s(row)))
            digest.update(told.encode())
        return digest.hexdigest()

    @cached_property
    def _unusable_parts(self) -> frozenset[tuple[int, float, float | None]]:
        """Clips that cannot be used, by the row of their file and their time."""
        return frozenset(
            (int(self._files[row]), *self.times_s(row)) for row in np.flatnonzero(~self.usable).tolist()
        )

    @cached_property
    def _by_file(self) -> tuple[_Numbers, _Numbers]:
        order = np.argsort(self._files, kind="stable")
        return order, self._files[order]

    def _numbers(self, name: str) -> _Numbers:
        kind, first, count = self._header.columns[name]
        if not count:
            return np.empty(0, kind)
        return np.frombuffer(self._content, kind, count, self._columns + first)

    def _texts(self, name: str) -> _Texts:
        _, first, size = self._header.columns[name]
        began = self._columns + first
        return _Texts(self._numbers(f"{name}.ends"), self._content[began : began + size])


def part_of(clip: Clip) -> Part:
    """The file of a clip, and its time in it."""
    return clip.path, clip.start_s, clip.end_s


class ListedClips(Sequence[Clip]):
    """Clips of a manifest, by their rows."""

    def __init__(self, manifest: Manifest, rows: _Numbers) -> None:
        self.manifest, self.rows = manifest, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> ListedClips: ...
    def __getitem__(self, index: int | slice) -> Clip | ListedClips:
        if isinstance(index, slice):
            return ListedClips(self.manifest, self.rows[index])
        return self.manifest.clip(int(self.rows[index]))

    def __iter__(self) -> Iterator[Clip]:
        return (self.manifest.clip(row) for row in self.rows.tolist())

    def usable(self) -> ListedClips:
        """Those that can be used."""
        return ListedClips(self.manifest, self.rows[self.manifest.usable[self.rows]])

    @cached_property
    def identity(self) -> str:
        """What tells the usable ones from other clips."""
        return self.manifest.identity(self.usable().rows.tolist())


class _Texts:
    """A column of texts: all of them one after the other, and where each ends."""

    def __init__(self, ends: _Numbers, content: memoryview) -> None:
        self.ends, self._content = ends, content

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> bytes:
        first = self.ends.item(row - 1) if row else 0
        return bytes(self._content[first : self.ends.item(row)])


def read_manifest(path: Path, root: Path | None = None) -> Manifest:
    """Open a manifest; with `root` as one of the same clips that have moved there.

    Raises UserError when it is not there, is another file, or is damaged.
    """
    try:
        return Manifest(path, root)
    except (OSError, ValueError, KeyError, struct.error, msgspec.DecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"expected the list of the clips in {path}, but it cannot be read ({reason}); restore the file, "
            "or begin anew without it"
        ) from None


def encode_manifest(
    dataset: Dataset,
    seed: int,
    resolution: int,
    cache: str,
    files: Mapping[Path, StoredFile],
    problems: Mapping[Part, str],
) -> bytes:
    """A manifest as the bytes of its file.

    `files` are what the cache called `cache` holds, `problems` the reasons why clips cannot be used. Of a
    file in neither nothing was prepared.
    """
    is_list = dataset.root.is_file()
    base = os.fsencode(dataset.root.parent if is_list else dataset.root)
    relative: dict[Path, bytes] = {}
    clips = [clip for split in dataset.splits.values() for clip in split]
    for clip in clips:
        if clip.path not in relative:
            relative[clip.path] = _relative(os.fsencode(clip.path), base)
    ordered = sorted(relative, key=relative.__getitem__)
    row_of = {path: row for row, path in enumerate(ordered)}
    stored = [files.get(path, NOT_STORED) for path in ordered]
    names = tuple(sorted({name for one in stored for name in (one.form, one.decoder)}))
    columns = _Columns()
    columns.texts("path", [relative[path] for path in ordered])
    columns.texts("video", [one.video.encode() for one in stored])
    for name, kind in _NUMBERS_OF_A_FILE.items():
        values = [getattr(one, name) for one in stored]
        columns.numbers(name, kind, [names.index(v) for v in values] if name in _NAMES_OF_A_FILE else values)
    columns.numbers("file", "<i4", [row_of[clip.path] for clip in clips])
    columns.numbers("labels", "<i4", [label for clip in clips for label in clip.labels])
    columns.numbers("labels.ends", "<i8", np.cumsum([len(clip.labels) for clip in clips], dtype=np.int64))
    columns.numbers("start_s", "<f8", [clip.start_s for clip in clips])
    columns.numbers("end_s", "<f8", [np.nan if clip.end_s is None else clip.end_s for clip in clips])
    columns.texts("recording", [_bytes(clip.recording) for clip in clips])
    columns.texts("problem", [_bytes(problems.get(part_of(clip), "")) for clip in clips])
    header = _Header(
        root=os.fsencode(dataset.root),
        is_list=is_list,
        format=dataset.format,
        classes=tuple(_bytes(name) for name in dataset.classes),
        multi_label=dataset.multi_label,
        mirrorable=dataset.mirrorable,
        protocol=dataset.protocol,
        seed=seed,
        resolution=resolution,
        cache=cache,
        splits={name: len(split) for name, split in dataset.splits.items()},
        names=names,
        columns=columns.places,
    )
    encoded = msgspec.msgpack.encode(header)
    padding = bytes(_aligned(_PREFIX.size + len(encoded)) - _PREFIX.size - len(encoded))
    content = b"".join((encoded, padding, *columns.parts))
    return _PREFIX.pack(_MAGIC, len(encoded), zlib.crc32(content)) + content


_NUMBERS_OF_A_FILE = {
    "resolution": "<i4",
    "frames": "<i4",
    "duration_s": "<f8",
    "form": "<i4",
    "stored_bytes": "<i8",
    "decoder": "<i4",
    "source_bytes": "<i8",
    "source_mtime_ns": "<i8",
}
_NAMES_OF_A_FILE = ("form", "decoder")
"""Of these a column has places in the header's `names`."""


class _Columns:
    """Columns that are being written, each from a multiple of eight bytes on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.places: dict[str, tuple[str, int, int]] = {}
        self._size = 0

    def numbers(self, name: str, kind: str, values: npt.ArrayLike) -> None:
        """Add a column of numbers."""
        array = np.asarray(values, kind)
        self._add(name, kind, len(array), array.tobytes())

    def texts(self, name: str, values: Sequence[bytes]) -> None:
        """Add a column of texts."""
        content = b"".join(values)
        self.numbers(f"{name}.ends", "<i8", np.cumsum([len(value) for value in values], dtype=np.int64))
        self._add(name, "text", len(content), content)

    def _add(self, name: str, kind: str, count: int, content: bytes) -> None:
        self.places[name] = (kind, self._size, count)
        padded = content + bytes(_aligned(len(content)) - len(content))
        self.parts.append(padded)
        self._size += len(padded)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _relative(path: bytes, base: bytes) -> bytes:
    """A path as it is listed; one that is not below the data set's root stays as it is."""
    return path.removeprefix(base.rstrip(b"/") + b"/")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
