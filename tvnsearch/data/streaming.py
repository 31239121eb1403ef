"""A video that may never end, as a window that slides over it: files, cameras, addresses, and stdin."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from tvnsearch.data.decode import BASE_RATE, Frame, read_frames
from tvnsearch.data.sources import answering, camera_of, is_http, is_rtsp, open_address, open_camera
from tvnsearch.data.timeline import TIME_ROUNDING_S, nearest
from tvnsearch.data.video import CONTAINERS, BrokenClip, Video, open_video, reading, video_of
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import InputSpec

STDIN = "-"

STREAMS = f"{CONTAINERS},h264,hevc,mjpeg,mpjpeg,nut,yuv4mpegpipe"
"""What is read from stdin and addresses: also what has no container, as cameras send it."""

ANALYSED_US = "500000"
"""Of a stream, before its first frame is given out: FFmpeg's five seconds would be a delay."""

CLOCK_SHARE = 0.5
"""Of the time that frames are shown for, in which those of a live source take at least to arrive."""


class Pace(NamedTuple):
    """What happens to a frame for which there is no room yet: its source waits, or older frames are dropped.

    A source that does both waits as long as it is not behind the clock.
    """

    waits: bool
    drops: bool


FILE, PIPE, DEVICE = Pace(True, False), Pace(True, True), Pace(False, True)


class Arrival(NamedTuple):
    """A frame, when it arrived by `time.monotonic`, and the frames that were dropped before it, in all."""

    frame: Frame
    arrived_s: float
    dropped: int


class Window(NamedTuple):
    """What a network looks at: uint8 pixels (frames, height, width, 3), shown from `start_s` to `end_s`.

    Its last frame arrived at `arrived_s` by `time.monotonic`. `keeps_time`: since the window before it,
    frames came about as fast as they are shown, not as those of a file do. `dropped` counts frames from the
    beginning of the stream.
    """

    start_s: float
    end_s: float
    pixels: npt.NDArray[np.uint8]
    arrived_s: float
    keeps_time: bool
    dropped: int


def pace_of(source: str) -> Pace:
    """How a source has to be read: `-`, an address, a camera (its file or number), or a video file.

    What a web server sends may be a file or live, as what comes by a pipe.
    """
    if source == STDIN or is_http(source):
        return PIPE
    return DEVICE if is_rtsp(source) or camera_of(source) else FILE


def arrivals(source: str, resolution: int, most_s: float) -> Generator[Arrival]:
    """The frames of a source as they come.

    A source is a video file, a camera (`/dev/video0` or `0`), an address of RTSP, http or https, or stdin
    (`-`).

    They are read on a thread of their own, and at most `most_s` seconds of them wait; then the source's pace
    decides. Their times never step back: where a source's clock is set, as when a camera's is put right or a
    transport stream begins anew, they go on one frame after the last (`onward`). Close the generator to end
    the thread.

    Raises UserError when the source is none of these, cannot be decoded, or breaks off.
    """
    waiting = FrameQueue(pace_of(source), most_s)

    def fill() -> None:
        try:
            with _open(source) as video:
                frame = None
                for frame in read_frames(video, resolution):
                    if not waiting.put(frame):
                        return
            if frame is None:
                raise BrokenClip(Path(source), "no frame of it can be decoded")
            waiting.end(None)
        except BaseException as error:  # raised again where the frames are used
            waiting.end(error)

    # A source that is silent cannot be interrupted: its thread ends with the process.
    threading.Thread(target=fill, daemon=True).start()
    try:
        while (arrival := waiting.get()) is not None:
            yield arrival
    except BrokenClip as broken:
        raise UserError(
            f"expected a video in {source}, but it cannot be decoded ({broken.reason}); give another one"
        ) from None
    finally:
        waiting.close()


def sliding_windows(frames: Iterable[Arrival], spec: InputSpec, every_s: float) -> Iterator[Window]:
    """The time that `spec` spans until the last frame, each time that `every_s` more of a video have come.

    Of that time each frame is the one that is shown nearest to it: in a gap, one beside the gap. The end of a
    video is a window of its own; one that is too short is one window, in which the last frame is held. Should
    times step back all the same, windows begin anew with what comes then.
    """
    span_s = (spec.frames - 1) * spec.frame_stride / BASE_RATE
    seen: deque[Arrival] = deque()
    before: Arrival | None = None
    first_s, due_s = math.inf, -math.inf
    fresh = False
    for arrival in frames:
        now_s = arrival.frame.time_s
        if not seen or now_s < seen[-1].frame.time_s:
            seen.clear()
            first_s, due_s = now_s, -math.inf
        before = before or arrival
        seen.append(arrival)
        while len(seen) > 1 and seen[1].frame.time_s <= now_s - span_s:
            seen.popleft()
        fresh = True
        if now_s - span_s >= first_s - TIME_ROUNDING_S and now_s >= due_s - TIME_ROUNDING_S:
            yield _window(seen, spec, now_s - span_s, before)
            late = due_s + every_s <= now_s
            due_s = every_s + (now_s if late else due_s)
            before, fresh = arrival, False
    if fresh and before is not None:
        yield _window(seen, spec, max(first_s, now_s - span_s), before)


class FrameQueue:
    """Frames between the thread that reads them and the one that looks at them."""

    def __init__(self, pace: Pace, most_s: float) -> None:
        self._pace, self._most_s = pace, most_s
        self._frames: deque[Arrival] = deque()
        self._changed = threading.Condition()
        self._first: Arrival | None = None
        self._dropped = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, frame: Frame) -> bool:
        """Add a frame, as soon as there is room; False when nobody looks any more."""
        with self._changed:
            arrival = Arrival(frame, time.monotonic(), 0)
            self._first = self._first or arrival
            while self._is_full(frame) and not self._closed:
                if self._pace.drops and not (self._pace.waits and self._is_in_time(frame)):
                    self._frames.popleft()
                    self._dropped += 1
                else:
                    self._changed.wait(timeout=0.05)
            self._frames.append(Arrival(frame, time.monotonic(), self._dropped))
            self._changed.notify_all()
            return not self._closed

    def get(self) -> Arrival | None:
        """The next frame, as soon as there is one; None at the end. Raises what ended the reading."""
        with self._changed:
            while not self._frames and not self._ended:
                self._changed.wait(timeout=0.5)
            if self._frames:
                arrival = self._frames.popleft()
                self._changed.notify_all()
                return arrival
            if self._error is not None:
                raise self._error
            return None

    def end(self, error: BaseException | None) -> None:
        """No frame will follow, for the reason of an error or at the video's end."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody looks any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self, frame: Frame) -> bool:
        return bool(self._frames) and frame.time_s - self._frames[0].frame.time_s > self._most_s

    def _is_in_time(self, frame: Frame) -> bool:
        assert self._first is not None
        elapsed_s = time.monotonic() - self._first.arrived_s
        return elapsed_s - (frame.time_s - self._first.frame.time_s) <= self._most_s


class _Stdin:
    """Stdin as it comes: a buffered reader would wait until it has as much as it was asked for."""

    def read(self, size: int) -> bytes:
        return os.read(sys.stdin.fileno(), size)


@contextmanager
def _open(source: str) -> Iterator[Video]:
    pace, path = pace_of(source), Path(source)
    if pace == FILE:
        with open_video(path) as video:
            yield video
        return
    with reading(path), answering(source), _opened_live(source) as container:
        yield video_of(path, container, of_no_length=is_http(source) and container.size < 0)


def _opened_live(source: str) -> InputContainer:
    options = {"analyzeduration": ANALYSED_US}
    if is_http(source) or is_rtsp(source):
        return open_address(source, STREAMS, options)
    if source != STDIN:
        return open_camera(camera_of(source) or source)
    if sys.stdin.isatty():
        raise BrokenClip(Path(source), "stdin is a terminal; pipe a video into it")
    # A file on stdin can be read from any place, which an mp4 needs whose index is at its end.
    file = sys.stdin.buffer if sys.stdin.seekable() else _Stdin()
    options |= {"protocol_whitelist": "pipe", "format_whitelist": STREAMS}
    return av.open(file, "r", options=options)


def _window(seen: deque[Arrival], spec: InputSpec, start_s: float, before: Arrival) -> Window:
    times_s = np.array([arrival.frame.time_s for arrival in seen])
    places = nearest(times_s, start_s + np.arange(spec.frames) * spec.frame_stride / BASE_RATE).tolist()
    start, end = seen[places[0]], seen[-1]
    elapsed_s, shown_s = end.arrived_s - before.arrived_s, end.frame.time_s - before.frame.time_s
    return Window(
        start.frame.time_s,
        end.frame.time_s,
        np.stack([seen[place].frame.pixels for place in places]),
        end.arrived_s,
        elapsed_s >= CLOCK_SHARE * shown_s,
        end.dropped,
    )
