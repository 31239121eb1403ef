"""A clip as an array of small square frames, decoded and resized by FFmpeg (PyAV)."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.frame import VideoFrame

from tvnsearch.data.video import BrokenClip, frames_between, open_video

MAX_FRAMES = 300
"""Frames decoded from the start of a clip: ten seconds at 30 fps, 45 MB at 224 x 224."""

WHOLE_ENOUGH = 0.75
"""Share of the announced frames that must decode. A lost tail changes what a clip shows."""


def decode_clip(
    path: Path,
    resolution: int,
    max_frames: int = MAX_FRAMES,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> npt.NDArray[np.uint8]:
    """Decode a file, or its part from `start_s` to `end_s`, to uint8 RGB (frames, resolution, resolution, 3).

    All frames in order of presentation, but at most the first `max_frames`, so that a long file cannot fill
    the memory. Each is turned upright as the file says, cropped to the centred square of its shorter side and
    resized (area when shrinking, bilinear when enlarging). Single damaged frames are skipped.

    Raises BrokenClip when the file is missing, empty, no video, has no video stream, or yields fewer than
    three quarters of the frames that it announces.
    """
    with open_video(path) as video:
        announced = frames_between(video.announced_frames, video.frame_rate, start_s, end_s)
        resizer = _Resizer(resolution)
        frames = [resizer(frame) for frame in islice(video.frames(start_s, end_s), max_frames)]
    if not frames:
        part = "" if end_s is None else f" between {start_s:g} and {end_s:g} s"
        raise BrokenClip(path, f"no frame of it{part} can be decoded")
    check_whole(path, len(frames), announced, max_frames)
    return np.stack(frames)


def check_whole(path: Path, frames: int, announced: int, max_frames: int = MAX_FRAMES) -> None:
    """Accept a clip of which `frames` frames are there, out of those announced (0: none was).

    Raises BrokenClip when they are too few of the first `max_frames`.
    """
    if frames < WHOLE_ENOUGH * min(announced, max_frames):
        raise BrokenClip(path, f"it is truncated: only {frames} of {announced} frames can be decoded")


class _Resizer:
    """Centre square crop, resize and conversion to RGB as a filter graph, rebuilt when frames change size."""

    def __init__(self, resolution: int) -> None:
        self._resolution = resolution
        self._form: tuple[int, int, str] | None = None
        self._graph = Graph()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        form = (frame.width, frame.height, frame.format.name)
        if form != self._form:
            self._graph = _resize_graph(frame, self._resolution)
            self._form = form
        # The graph checks time stamps and rates; a frame alone has no use for either.
        frame.pts = None
        self._graph.vpush(frame)
        pixels = self._graph.vpull().to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90), dtype=np.uint8)


def _resize_graph(frame: VideoFrame, resolution: int) -> Graph:
    side = min(frame.width, frame.height)
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        ),
        graph.add("crop", f"{side}:{side}"),
        graph.add("scale", f"{resolution}:{resolution}:flags={'area' if side > resolution else 'bilinear'}"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ).configure()
    return graph
