"""A video as one file: its frames, raw, as JPEG or H.264, then when each is shown, then what they are.

    frames | end of each frame, uint64 bytes | time of each, float64 s | lost before each, float64 s | trailer

Of the form `source` it has the times alone: frames are decoded from the video's own file when they are read.
A file whose trailer is not there, or does not fit its size, was cut off and is none of ours.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tvnsearch.data.decode import Frame
from tvnsearch.data.h264 import H264Encoder, decode_frames
from tvnsearch.data.jpeg import JpegEncoder, decode_jpeg
from tvnsearch.data.on_demand import SourceVideo
from tvnsearch.data.timeline import Timeline, clip_of

Form = Literal["raw", "jpeg", "h264", "source"]

_TAGS: dict[Form, bytes] = {"raw": b"raw ", "jpeg": b"jpeg", "h264": b"h264", "source": b"file"}
"""What a form is called in the trailer."""

_MAGIC = b"tvnclip2"
_TRAILER = struct.Struct("<4sQIIdd8s")
"""Form, frames, height, width, seconds until the end, seconds that the source announces (negative: none)."""


class Crop(NamedTuple):
    """A part of a frame, in pixels."""

    top: int
    left: int
    height: int
    width: int


class Readable(Protocol):
    """What frames are read from: they have one size, and numbers in the order in which they are shown."""

    height: int
    width: int
    timeline: Timeline

    def read(self, numbers: npt.NDArray[np.int64], crop: tuple[slice, slice]) -> npt.NDArray[np.uint8]:
        """The frames of these numbers, each cropped to rows and columns."""


class Frames:
    """Frames of a video that follow each other: a clip. Nothing is read before `take`."""

    def __init__(self, video: Readable, first: int, last: int, start_s: float = 0.0) -> None:
        self.height, self.width = video.height, video.width
        self._video, self._first, self._last, self._start_s = video, first, last, start_s

    def __len__(self) -> int:
        return self._last - self._first

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """When each frame begins to be shown in the clip, seconds after the video's beginning, ascending."""
        return self._video.timeline.times_s[self._first : self._last].clip(self._start_s)

    def take(self, indices: npt.ArrayLike, crop: Crop | None = None) -> npt.NDArray[np.uint8]:
        """Read the frames of these numbers, cropped: uint8 RGB (frames, height, width, 3)."""
        top, left, height, width = crop or Crop(0, 0, self.height, self.width)
        numbers = self._first + np.asarray(indices)
        return self._video.read(numbers, (slice(top, top + height), slice(left, left + width)))


class StoredVideo:
    """A decoded video, or the times of one that is not, memory-mapped.

    Raises ValueError when the file is not whole, OSError when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        trailer = self._map[-_TRAILER.size :]
        if len(trailer) < _TRAILER.size or not trailer.endswith(_MAGIC):
            raise ValueError(f"{path} is not whole")
        form, frames, self.height, self.width, end_s, announced_s, _ = _TRAILER.unpack(trailer)
        if form not in _TAGS.values():
            raise ValueError(f"{path} is of a form that is not known")
        self.form = next(name for name, tag in _TAGS.items() if tag == form)
        tables = len(self._map) - _TRAILER.size - 24 * frames
        if tables < 0:
            raise ValueError(f"{path} is not whole")
        self._ends = np.frombuffer(self._map[tables : tables + 8 * frames], np.uint64).astype(np.int64)
        if not frames or self._ends[-1] != tables:
            raise ValueError(f"{path} is not whole")
        times = np.frombuffer(self._map[tables + 8 * frames : -_TRAILER.size], np.float64).reshape(2, -1)
        self.timeline = Timeline(times[0], times[1], end_s, announced_s if announced_s >= 0 else None)
        if self.form == "raw":
            pixels = np.frombuffer(self._map, np.uint8, count=tables)
            self._raw = pixels.reshape(frames, self.height, self.width, 3)

    @property
    def size_bytes(self) -> int:
        """Bytes of its file."""
        return len(self._map)

    def part(self, path: Path, start_s: float, end_s: float | None) -> Frames:
        """The frames that are shown from `start_s` until before `end_s` (None: the end): the clip of `path`.

        Raises BrokenClip when there are none, or they are shown for too little of that time (`clip_of`).
        """
        numbers = clip_of(self.timeline, path, start_s, end_s)
        video: Readable = self
        if self.form == "source":
            video = SourceVideo(path, self.timeline, self.height, self.width)
        return Frames(video, numbers.start, numbers.stop, start_s)

    def read(self, numbers: npt.NDArray[np.int64], crop: tuple[slice, slice]) -> npt.NDArray[np.uint8]:
        """The frames of these numbers, each cropped to rows and columns."""
        if self.form == "raw":
            return self._raw[numbers, *crop]
        distinct, places = np.unique(numbers, return_inverse=True)
        if self.form == "h264":
            decoded = decode_frames(self._content, distinct.tolist())
        else:
            decoded = [decode_jpeg(self._content(number)) for number in distinct.tolist()]
        return np.stack([pixels[crop] for pixels in decoded])[places]

    def _content(self, number: int) -> bytes:
        """An encoded frame."""
        start = int(self._ends[number - 1]) if number else 0
        return self._map[start : int(self._ends[number])]


def open_stored(path: Path) -> StoredVideo | None:
    """A stored video; None where there is none, or it is not whole."""
    try:
        return StoredVideo(path)
    except (OSError, ValueError):
        return None


class VideoWriter:
    """Writes a stored video frame by frame, so that one of any length needs the memory of a few."""

    def __init__(self, file: BinaryIO, form: Form) -> None:
        self._file, self._form = file, form
        self._jpeg: JpegEncoder | None = None
        self._h264: H264Encoder | None = None
        self._size = (0, 0)
        self._ends: list[int] = []
        self._times_s: list[float] = []
        self._lost_s: list[float] = []

    @property
    def frames(self) -> int:
        """Frames added so far."""
        return len(self._times_s)

    def add(self, frame: Frame) -> None:
        """Write the next frame; all have the size of the first."""
        height, width = self._size = frame.pixels.shape[:2]
        self._times_s.append(frame.time_s)
        self._lost_s.append(frame.lost_s)
        match self._form:
            case "raw":
                self._write(frame.pixels.tobytes())
            case "jpeg":
                self._jpeg = self._jpeg or JpegEncoder(width, height)
                self._write(self._jpeg(frame.pixels))
            case "h264":
                self._h264 = self._h264 or H264Encoder(width, height)
                self._write(*self._h264(frame.pixels))
            case "source":
                self._write(b"")

    def finish(self, end_s: float, announced_s: float | None) -> None:
        """Make the file whole; `end_s` and `announced_s` are those of the source's `Timeline`."""
        if self._h264:
            self._write(*self._h264.finish())
        self._file.write(np.asarray(self._ends, np.uint64).tobytes())
        self._file.write(np.asarray([self._times_s, self._lost_s], np.float64).tobytes())
        said_s = -1.0 if announced_s is None else announced_s
        tag = _TAGS[self._form]
        self._file.write(_TRAILER.pack(tag, self.frames, *self._size, end_s, said_s, _MAGIC))

    def _write(self, *contents: bytes) -> None:
        for content in contents:
            self._file.write(content)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(content))
