"""The frames of an open video one after the other, upright, thinned and made small by FFmpeg (PyAV)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.frame import VideoFrame

from tvnsearch.data.orientation import Orientation, orientation_of, upright
from tvnsearch.data.timeline import Timeline, clip_of
from tvnsearch.data.video import Shown, Video, open_video
from tvnsearch.genome.genome import WIDEST

BASE_RATE = 30.0
"""Ticks a second: what a stride is counted in, and how many frames a second are kept of faster videos."""

CLOSE_TICKS = 0.8
"""Frames that come closer together are too many. Those of 30 a second are not, however unevenly they come."""

DECODING = 2
"""Raised when a file would be decoded to other frames or times than before."""


class Frame(NamedTuple):
    """uint8 RGB pixels (height, width, 3), and when they are shown: seconds after the video's beginning.

    `lost_s` seconds directly before it were lost to damage.
    """

    time_s: float
    pixels: npt.NDArray[np.uint8]
    lost_s: float = 0.0


def is_fast(frame_rate: float) -> bool:
    """Whether not all frames of a video of so many a second are kept."""
    return frame_rate * CLOSE_TICKS > BASE_RATE


def thinned(frames: Iterable[Shown]) -> Iterator[Shown]:
    """Of frames that come too close together, the nearest to each tick; the others as they are.

    A frame waits for the next only where they are too close: of a live source nothing else is held back.
    """
    waiting: Shown | None = None
    before_s, tick, lost_s = -math.inf, -1, 0.0
    for shown in frames:
        is_close = (shown.time_s - before_s) * BASE_RATE < CLOSE_TICKS
        is_next = not is_close or round(shown.time_s * BASE_RATE) != tick
        before_s, tick = shown.time_s, round(shown.time_s * BASE_RATE)
        if is_next and waiting is not None:
            yield waiting
            waiting = None
        lost_s += shown.lost_s
        if not is_next and (waiting is None or _off_tick(waiting) <= _off_tick(shown)):
            continue
        chosen = shown._replace(lost_s=lost_s + (0.0 if is_next or waiting is None else waiting.lost_s))
        lost_s = 0.0
        if is_close:
            waiting = chosen
        else:
            yield chosen
    if waiting is not None:
        yield waiting


def small_size(width: int, height: int, resolution: int) -> tuple[int, int]:
    """Width and height of frames whose short side is at most `resolution`; they are never enlarged.

    The long side keeps its proportion, up to `WIDEST`: evaluation takes several crops along it.
    """
    short, long = min(width, height), min(max(width, height), int(WIDEST * min(width, height)))
    small = min(short, resolution)
    along = max(1, round(long * small / short))
    return (along, small) if width >= height else (small, along)


def read_frames(video: Video, resolution: int) -> Iterator[Frame]:
    """The frames of a video, thinned to its base rate, in order of presentation, all of one size.

    Each is turned and mirrored as the file says, its pixels are made square, and it is resized (`small_size`;
    area when shrinking). Damaged frames are skipped.
    """
    resizer = Resizer(resolution, video.pixel_ratio)
    for shown in thinned(video.frames()):
        yield Frame(shown.time_s, resizer(shown.frame), shown.lost_s)


def decode_clip(path: Path, resolution: int) -> npt.NDArray[np.uint8]:
    """Decode a whole file into memory: uint8 RGB (frames, height, width, 3), as `read_frames` gives them.

    Raises BrokenClip when the file is missing, empty, no video, has no video stream, or shows less than three
    quarters of the time that it announces.
    """
    with open_video(path) as video:
        frames = list(read_frames(video, resolution))
        timeline = timeline_of(frames, video)
    clip_of(timeline, path)
    return np.stack([frame.pixels for frame in frames])


def timeline_of(frames: Iterable[Frame], video: Video) -> Timeline:
    """When these frames, which are all of a video that is read to its end, are shown."""
    times = np.array([(frame.time_s, frame.lost_s) for frame in frames]).reshape(-1, 2)
    return Timeline(times[:, 0], times[:, 1], video.end_s, video.announced_s)


def seen_size(frame: VideoFrame, pixel_ratio: float) -> tuple[int, int]:
    """Width and height of a frame as it is seen, in pixels as high as its own and square."""
    width, height = max(1, round(frame.width * pixel_ratio)), frame.height
    return (height, width) if orientation_of(frame).transposed else (width, height)


def _off_tick(shown: Shown) -> float:
    return abs(shown.time_s * BASE_RATE - round(shown.time_s * BASE_RATE))


class Resizer:
    """Crop, resize and conversion to RGB as a filter graph, rebuilt when frames change their form.

    The first frame decides the size of all, unless their width and height are given.
    """

    def __init__(self, resolution: int, pixel_ratio: float, size: tuple[int, int] | None = None) -> None:
        self._resolution, self._pixel_ratio, self._size = resolution, pixel_ratio, size
        self._form: tuple[int, int, str, Orientation] | None = None
        self._graph = Graph()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """The pixels of a frame, upright and small: uint8 RGB (height, width, 3)."""
        orientation = orientation_of(frame)
        form = (frame.width, frame.height, frame.format.name, orientation)
        if self._size is None:
            self._size = small_size(*seen_size(frame, self._pixel_ratio), self._resolution)
        if form != self._form:
            size = self._size[::-1] if orientation.transposed else self._size
            self._graph = _resize_graph(frame, size, self._pixel_ratio)
            self._form = form
        # The graph checks time stamps and rates; a frame alone has no use for either.
        frame.pts = None
        self._graph.vpush(frame)
        return upright(self._graph.vpull().to_ndarray().astype(np.uint8, copy=False), orientation)


def _resize_graph(frame: VideoFrame, size: tuple[int, int], pixel_ratio: float) -> Graph:
    width, height = size
    crop_width = min(frame.width, max(1, round(frame.height * width / height / pixel_ratio)))
    crop_height = min(frame.height, max(1, round(frame.width * pixel_ratio * height / width)))
    flags = "area" if crop_width * crop_height > width * height else "bilinear"
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        ),
        graph.add("crop", f"{crop_width}:{crop_height}:exact=1"),
        graph.add("scale", f"{width}:{height}:flags={flags}"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ).configure()
    return graph
