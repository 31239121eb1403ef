"""A video file, opened with suspicion: what it says of itself, its packets and its frames (PyAV)."""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tvnsearch.data.clock import onward
from tvnsearch.data.transport_stream import breaks_off

CONTAINERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg"
"""What is opened, whatever a file is called. Pictures and sounds are no clips, and a play list that poses as
a video would have other files opened, or network addresses."""

FRAMES_PER_SECOND = 24
"""Of a folder of pictures: what Charades' frames were taken at."""

MAX_PIXELS = 8192 * 4608
"""Of a frame: a damaged header must not ask for all memory."""

MOV, AVI = "mov,mp4,m4a,3gp,3g2,mj2", "avi"
"""Containers that say how long the pictures last."""

FILE_DURATIONS = frozenset({"matroska,webm", "flv"})
"""Containers that say how long the whole lasts. Of others FFmpeg only knows how long what is there lasts."""

SOUND_IS_THERE = 0.9
"""Share of a file's duration that its sound reaches in one that was not cut."""

MOST_GAP_S = 10.0
"""Between two frames of a transport stream, in which a longer one means that the clock was set."""

MOST_PIXEL_RATIO = 4.0
"""A pixel that is wider or higher than that is damage of the header."""


class BrokenClip(Exception):  # noqa: N818 - said of the clip, which is what is wrong
    """A file that is not a usable video: its name and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Shown(NamedTuple):
    """A frame, when it is shown, and how much of the time directly before that was lost to damage.

    Both in seconds, the former after the video's beginning.
    """

    time_s: float
    lost_s: float
    frame: VideoFrame


class Video:
    """An open video; made by `open_video`.

    Time counts from the first frame that is shown. What an edit list hides is not there: neither a frame nor
    a part of the duration. `breaks_off`: the file's end says that there was more. `of_no_length`: it comes
    from a server that does not say how long it is, and ends where that sends no more.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        breaks_off: bool = False,
        of_no_length: bool = False,
    ) -> None:
        self.container = container
        self.stream = stream
        self.end_s = 0.0
        """Until when the last of the frames that were read so far is shown."""
        self._breaks_off = breaks_off
        self._of_no_length = of_no_length
        self._format = container.format.name
        self._time_base = stream.time_base or Fraction(1)
        # FFmpeg leaves it to us to hide what comes before an edit list in a fragmented file.
        self._hidden = max(0, -(stream.start_time or 0)) if self._format == MOV else 0
        self._first = 0 if self._hidden else stream.start_time
        # An avi does not say when a frame is shown: its chunks are counted, empty ones as well.
        self._timed = self._format != AVI
        self._sound_end_s = 0.0
        self._damaged_s = 0.0

    @property
    def frame_rate(self) -> float | None:
        """Frames a second by the file's own account, which may be wrong; None where it gives none."""
        return float(self.stream.average_rate) if self.stream.average_rate else None

    @property
    def guessed_s(self) -> float:
        """How long the file lasts, sound and all, before any of it is read; 0 where that is not known."""
        return (self.container.duration or 0) / av.time_base

    @property
    def pixel_ratio(self) -> float:
        """Width of a pixel by its height."""
        ratio = float(self.stream.sample_aspect_ratio or 1)
        return ratio if 1 / MOST_PIXEL_RATIO <= ratio <= MOST_PIXEL_RATIO else 1.0

    @property
    def announced_s(self) -> float | None:
        """How long the pictures last by the file's own account, once it is read to its end.

        None where it gives none, or where that may be of its sound, which is all there; infinite where the
        file breaks off.
        """
        if self._breaks_off:
            return math.inf
        if self._format in (MOV, AVI):
            lasts = (self.stream.duration or 0) - self._hidden
            if self._format == AVI:  # FFmpeg shortens the duration of one that was cut
                lasts = max(lasts, self.stream.frames)
            return float(lasts * self._time_base) if lasts > 0 else None
        if self._format not in FILE_DURATIONS or self.guessed_s <= 0:
            return None
        tagged_s = self._tagged_s()
        if tagged_s is None and self._sound_end_s >= SOUND_IS_THERE * self.guessed_s:
            return None
        # Some programs count from the beginning of the file's clock, others from the first frame.
        announced_s = min(self.guessed_s, tagged_s or math.inf)
        begin_s = float((self._first or 0) * self._time_base)
        return announced_s - begin_s if 0 < begin_s < announced_s else announced_s

    def frames(self) -> Iterator[Shown]:
        """The frames in the order in which they are shown; damaged ones are skipped.

        Times never step back: of a clock that is set, `onward` makes one that goes on. A frame that has none
        is a period after the one before.
        """
        for time_s, frame in onward(self._decoded(), self._period_s, self._most_gap_s):
            gap_s = max(0.0, time_s - self.end_s)
            lost_s = min(self._damaged_s, gap_s)
            self._damaged_s -= lost_s
            self.end_s = time_s + (float(frame.duration * self._time_base) or self._period_s)
            yield Shown(time_s, lost_s, frame)

    def packets(self) -> tuple[VideoFrame, npt.NDArray[np.float64]]:
        """The first frame, and when each of the whole file is shown, none of which is decoded but that.

        Raises ValueError when not even one can be decoded. The video is at its end after that.
        """
        first_frame: VideoFrame | None = None
        stamps: list[tuple[int | None, int | None, float]] = []
        for packet in self._packets():
            if first_frame is None:
                with suppress(av.error.InvalidDataError):
                    first_frame = next(iter(packet.decode()), None)
            shown = packet.pts if self._timed and packet.pts is not None else packet.dts
            is_hidden = packet.is_discard or (self._hidden > 0 and shown is not None and shown < 0)
            if packet.size and not is_hidden:
                stamps.append((packet.dts, shown, self._lasts_s(packet.duration)))
        if first_frame is None:
            raise ValueError("no frame of it can be decoded")
        times_s = []
        # Only in the order in which they are decoded a step back is one of the clock.
        said = self._decoding_times_s([decoded for decoded, _, _ in stamps])
        coded = ((time_s, (time_s, *stamp)) for time_s, stamp in zip(said, stamps, strict=True))
        for coded_s, (said_s, _, shown, lasts_s) in onward(coded, self._period_s, self._most_gap_s):
            ahead_s = 0.0 if shown is None else self._seconds(shown) - said_s
            times_s.append(coded_s + ahead_s)
            self.end_s = max(self.end_s, times_s[-1] + lasts_s)
        return first_frame, np.sort(np.asarray(times_s, np.float64))

    def _decoding_times_s(self, stamps: Sequence[int | None]) -> list[float]:
        """When each packet is to be decoded; those that do not say so are a period from their neighbours.

        Matroska does not say it of the first packets of a video whose frames are not coded in their order.
        """
        unknown = next((place for place, stamp in enumerate(stamps) if stamp is not None), len(stamps))
        first = stamps[unknown] if unknown < len(stamps) else None
        time_s = (0.0 if first is None else self._seconds(first)) - (unknown + 1) * self._period_s
        times_s = []
        for stamp in stamps:
            time_s = time_s + self._period_s if stamp is None else self._seconds(stamp)
            times_s.append(time_s)
        return times_s

    @property
    def _period_s(self) -> float:
        return 1 / (self.frame_rate or FRAMES_PER_SECOND)

    @property
    def _most_gap_s(self) -> float:
        may_be_set = self.container.format.flags & cast(int, Flags.ts_discont.value)
        return MOST_GAP_S if may_be_set else math.inf

    def _decoded(self) -> Iterator[tuple[float, VideoFrame]]:
        """The frames, each with its seconds by the video's own clock."""
        counted: deque[int] = deque()
        time_s = -self._period_s
        for packet in self._packets():
            counts = (
                packet.dts is not None and packet.size > 0 and not (self._timed and packet.pts is not None)
            )
            # One damaged packet is passed over; whether too many are is judged by the time that is shown.
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                self._damaged_s += self._lasts_s(packet.duration)
                continue
            if counts and packet.dts is not None:
                counted.append(packet.dts)
            for frame in frames:
                stamp = frame.pts if self._timed else None
                if stamp is None and counted:
                    stamp = counted.popleft()
                time_s = time_s + self._period_s if stamp is None else self._seconds(stamp)
                if time_s >= 0 or not self._hidden:
                    yield time_s, frame

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The packets of the pictures; of those of the sound it is noted until when they last."""
        for packet in self._all_packets():
            if packet.stream.index == self.stream.index:
                yield cast("Packet[VideoStream]", packet)
            elif packet.pts is not None:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                self._sound_end_s = max(self._sound_end_s, end_s)

    def _all_packets(self) -> Iterator[Packet[Any]]:
        """Those of pictures and sound; the last are empty, for the decoders to give what they hold."""
        try:
            yield from self.container.demux(self.stream, *self.container.streams.audio)
        except av.error.OSError as error:
            if not (self._of_no_length and error.errno == errno.EIO):  # FFmpeg takes that end for a failure
                raise
            last = cast("Packet[VideoStream]", Packet())
            last.stream = self.stream
            yield last

    def _seconds(self, stamp: int) -> float:
        if self._first is None:
            self._first = stamp
        return float((stamp - self._first) * self._time_base)

    def _lasts_s(self, duration: int | None) -> float:
        return float((duration or 0) * self._time_base) or self._period_s

    def _tagged_s(self) -> float | None:
        """The end of the pictures as Matroska's statistics have it, also with a language behind the name."""
        for name, value in self.stream.metadata.items():
            if name.partition("-")[0] == "DURATION":
                with suppress(ValueError):
                    hours, minutes, seconds = value.split(":")
                    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return None


def source_files(path: Path) -> list[Path]:
    """The file of a video, or the pictures of a folder of frames, in order.

    Raises FileNotFoundError when neither is there: a pipe with a video's name would block for ever.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.jpg"))
    if not files:
        raise FileNotFoundError(path)
    return files


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Open a file, or a folder of frames `<folder>-000001.jpg`, for as long as the context lasts.

    Raises BrokenClip when it is missing, empty, no video, or has no video stream, and for whatever FFmpeg
    finds wrong with it in the course of the context.
    """
    with reading(path), _open(path) as container:
        yield video_of(path, container, container.format.name == "mpegts" and breaks_off(path))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever FFmpeg finds wrong in the course of the context is a BrokenClip of `path`."""
    try:
        yield
    except (av.FFmpegError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        raise BrokenClip(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    """What is wrong, for people: of a file that was cut off FFmpeg says little."""
    match error:
        case av.error.InvalidDataError():
            return "it is cut off, damaged, or no video"
        case av.error.EOFError():
            return "it is cut off"
        case av.error.OSError(errno=errno.EIO):
            return "it is cut off, or cannot be read"
    return getattr(error, "strerror", None) or str(error) or "out of memory"


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


def video_of(
    path: Path, container: InputContainer, breaks_off: bool = False, of_no_length: bool = False
) -> Video:
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
    return Video(container, stream, breaks_off, of_no_length)
