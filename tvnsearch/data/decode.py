"""The frames of an open video one after the other, upright, thinned and made small by FFmpeg (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.frame import VideoFrame

from tvnsearch.data.video import BrokenClip, Video, open_video
from tvnsearch.genome.genome import WIDEST

BASE_RATE = 30.0
"""Frames a second that faster videos are thinned to, so that a stride is about the same time in all."""

BELIEVED_RATE = 480.0
"""A higher rate is the clock of a container that knows no rate, not what a camera took."""

WHOLE_ENOUGH = 0.75
"""Share of the announced frames that must decode. A lost tail changes what a clip shows."""


class Frame(NamedTuple):
    """uint8 RGB pixels (height, width, 3), and when they are shown: seconds after the first frame."""

    time_s: float
    pixels: npt.NDArray[np.uint8]


def thinning(frame_rate: float | None) -> int:
    """Of how many frames one is kept: 2 of a video of 50 or 60 frames a second, 1 of slower ones."""
    if frame_rate is None or frame_rate > BELIEVED_RATE:
        return 1
    return max(1, round(frame_rate / BASE_RATE))


def small_size(width: int, height: int, resolution: int) -> tuple[int, int]:
    """Width and height of frames whose short side is at most `resolution`; they are never enlarged.

    The long side keeps its proportion, up to `WIDEST`: evaluation takes several crops along it.
    """
    short, long = min(width, height), min(max(width, height), int(WIDEST * min(width, height)))
    small = min(short, resolution)
    along = max(1, round(long * small / short))
    return (along, small) if width >= height else (small, along)


def read_frames(video: Video, resolution: int) -> Iterator[Frame]:
    """The frames of a video at its base rate, in order of presentation, all of one size (`small_size`).

    Each is turned upright as the file says and resized (area when shrinking). Damaged frames are skipped.
    """
    resizer = Resizer(resolution)
    every = thinning(video.frame_rate)
    for number, (time_s, frame) in enumerate(video.frames()):
        if number % every == 0:
            yield Frame(time_s, resizer(frame))


def decode_clip(path: Path, resolution: int) -> npt.NDArray[np.uint8]:
    """Decode a whole file into memory: uint8 RGB (frames, height, width, 3), as `read_frames` gives them.

    Raises BrokenClip when the file is missing, empty, no video, has no video stream, or yields fewer than
    three quarters of the frames that it announces.
    """
    with open_video(path) as video:
        announced = video.announced_frames // thinning(video.frame_rate)
        frames = [frame.pixels for frame in read_frames(video, resolution)]
    if not frames:
        raise BrokenClip(path, "no frame of it can be decoded")
    check_whole(path, len(frames), announced)
    return np.stack(frames)


def check_whole(path: Path, frames: int, announced: int) -> None:
    """Accept a clip of which `frames` frames are there, out of those announced (0: none was).

    Raises BrokenClip when they are too few.
    """
    if frames < WHOLE_ENOUGH * announced:
        raise BrokenClip(path, f"it is truncated: only {frames} of {announced} frames can be decoded")


class Resizer:
    """Crop, resize and conversion to RGB as a filter graph, rebuilt when frames change their form.

    The first frame decides the size of all, unless their width and height are given.
    """

    def __init__(self, resolution: int, size: tuple[int, int] | None = None) -> None:
        self._resolution = resolution
        self._size = size
        self._form: tuple[int, int, str, int] | None = None
        self._graph = Graph()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """The pixels of a frame, upright and small: uint8 RGB (height, width, 3)."""
        turns = frame.rotation // 90
        form = (frame.width, frame.height, frame.format.name, turns)
        if self._size is None:
            size = small_size(frame.width, frame.height, self._resolution)
            self._size = size[::-1] if turns % 2 else size
        if form != self._form:
            self._graph = _resize_graph(frame, self._size[::-1] if turns % 2 else self._size)
            self._form = form
        # The graph checks time stamps and rates; a frame alone has no use for either.
        frame.pts = None
        self._graph.vpush(frame)
        pixels = self._graph.vpull().to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, turns), dtype=np.uint8)


def _resize_graph(frame: VideoFrame, size: tuple[int, int]) -> Graph:
    width, height = size
    crop_width = min(frame.width, max(1, round(frame.height * width / height)))
    crop_height = min(frame.height, max(1, round(frame.width * height / width)))
    flags = "area" if crop_width > width else "bilinear"
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
