"""A video file, opened with suspicion: what it says of itself, its packets and its frames (PyAV)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

CONTAINERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg"
"""What is opened, whatever a file is called. Pictures and sounds are no clips, and a play list that poses as
a video would have other files opened, or network addresses."""

FRAMES_PER_SECOND = 24
"""Of a folder of pictures: what Charades' frames were taken at."""

MAX_PIXELS = 8192 * 4608
"""Of a frame: a damaged header must not ask for all memory."""

WITHOUT_TIMES = frozenset({"avi"})
"""Containers that do not say when a frame is shown: their frames are counted."""


class BrokenClip(Exception):  # noqa: N818 - said of the clip, which is what is wrong
    """A file that is not a usable video: its name and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Video:
    """An open video; made by `open_video`."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.container = container
        self.stream = stream

    @property
    def frame_rate(self) -> float | None:
        """Frames a second by the file's own account; None where it gives none."""
        return float(self.stream.average_rate) if self.stream.average_rate else None

    @property
    def announced_frames(self) -> int:
        """Frames of the file by its own account; 0 where it gives none."""
        return self.stream.frames or math.floor(self._announced_s() * (self.frame_rate or 0.0))

    def frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """The frames in the order in which they are shown, each with its seconds after the first.

        Damaged frames are skipped.
        """
        time_base, first = self.stream.time_base or Fraction(1), self.stream.start_time or 0
        timed = self.container.format.name not in WITHOUT_TIMES
        period_s = 1 / (self.frame_rate or math.inf)
        time_s = -period_s
        for frame in self._decoded():
            if timed and frame.pts is not None:
                time_s = float((frame.pts - first) * time_base)
            else:
                time_s += period_s
            yield time_s, frame

    def count_frames(self) -> int:
        """Frames of the whole file, none of them decoded but the first: its packets.

        Raises ValueError when not even one can be decoded. The video is at its end after that.
        """
        packets = self.container.demux(self.stream)
        seen = 0
        for packet in packets:
            seen += bool(packet.size)
            with suppress(av.error.InvalidDataError):
                if packet.decode():
                    return seen + sum(bool(rest.size) for rest in packets)
        raise ValueError("no frame of it can be decoded")

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self.container.demux(self.stream):
            # One damaged packet is passed over; whether too many are is judged by the count of frames.
            with suppress(av.error.InvalidDataError):
                yield from packet.decode()

    def _announced_s(self) -> float:
        """Seconds of the video stream by the file's own account, 0 where it gives none.

        Webm and Matroska do not count their frames, and the duration of a file with sound may be the sound's.
        """
        tagged = self.stream.metadata.get("DURATION", "")
        with suppress(ValueError):
            hours, minutes, seconds = tagged.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        if self.container.duration and len(self.container.streams) == 1:
            return self.container.duration / av.time_base
        return 0.0


def source_files(path: Path) -> list[Path]:
    """The file of a video, or the pictures of a folder of frames, in order.

    Raises FileNotFoundError when neither is there: a pipe with a video's name would block for ever.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.jpg"))
    if not files:
        raise FileNotFoundError(path)
    return files


def frames_between(frames: int, frame_rate: float | None, start_s: float, end_s: float | None) -> int:
    """How many of a file's `frames` frames are shown from `start_s` until before `end_s` (None: the end).

    Where the frame rate is not known it cannot be said of a part, and all are taken for it.
    """
    if frame_rate is None or (start_s == 0 and end_s is None):
        return frames
    last = frames if end_s is None else min(frames, math.floor(end_s * frame_rate))
    return max(0, last - math.ceil(start_s * frame_rate))


def nothing_between(path: Path, start_s: float, end_s: float | None) -> BrokenClip:
    """What a part of a file is that has no frame."""
    end = "the end" if end_s is None else f"{end_s:g} s"
    return BrokenClip(path, f"no frame of it between {start_s:g} s and {end} can be decoded")


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Open a file, or a folder of frames `<folder>-000001.jpg`, for as long as the context lasts.

    Raises BrokenClip when it is missing, empty, no video, or has no video stream, and for whatever FFmpeg
    finds wrong with it in the course of the context.
    """
    with reading(path), _open(path) as container:
        yield video_of(path, container)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever FFmpeg finds wrong in the course of the context is a BrokenClip of `path`."""
    try:
        yield
    except (av.FFmpegError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        raise BrokenClip(path, getattr(error, "strerror", None) or str(error) or "out of memory") from error


def _open(path: Path) -> InputContainer:
    # The absolute path keeps "name:with:colons.mp4" from being read as an address.
    address = str(path.absolute())
    options = {"protocol_whitelist": "file"}
    if (path / f"{path.name}-000001.jpg").is_file():
        pattern = address.replace("%", "%%") + f"/{path.name.replace('%', '%%')}-%06d.jpg"
        return av.open(pattern, format="image2", options=options | {"framerate": str(FRAMES_PER_SECOND)})
    # A pipe or a socket with a video's name would block for ever.
    if not path.is_file():
        raise BrokenClip(path, "no such file")
    if path.stat().st_size == 0:
        raise BrokenClip(path, "the file is empty")
    try:
        return av.open(address, options=options | {"format_whitelist": CONTAINERS})
    except av.error.ArgumentError:
        raise BrokenClip(path, "its content is no video, whatever its name says") from None


def video_of(path: Path, container: InputContainer) -> Video:
    """The video in an open container.

    Raises BrokenClip when there is none, or it cannot be decoded safely.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise BrokenClip(path, "it has no video stream")
    stream = streams[0]
    codec = stream.codec_context
    if codec is None:  # whatever the type stubs say
        raise BrokenClip(path, "the codec of its video stream is not known")
    if codec.width * codec.height > MAX_PIXELS:
        raise BrokenClip(path, f"its frames are too large: {codec.width} x {codec.height} pixels")
    codec.thread_count = 1
    codec.options = {"max_pixels": str(MAX_PIXELS)}
    return Video(container, stream)
