"""A video file as an array of small square frames, decoded and resized by FFmpeg (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MAX_FRAMES = 300
"""Frames decoded from the start of a file: ten seconds at 30 fps, 45 MB at 224 x 224."""

WHOLE_ENOUGH = 0.75
"""Share of the announced frames that must decode. A lost tail changes what a clip shows."""


class BrokenClip(Exception):  # noqa: N818 - said of the clip, which is what is wrong
    """A file that is not a usable video: its name and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decode_clip(path: Path, resolution: int, max_frames: int = MAX_FRAMES) -> npt.NDArray[np.uint8]:
    """Decode a file to uint8 RGB of shape (frames, resolution, resolution, 3).

    All frames in order of presentation, but at most the first `max_frames`, so that a long file cannot fill
    the memory. Each is turned upright as the file says, cropped to the centred square of its shorter side and
    resized (area when shrinking, bilinear when enlarging). Single damaged frames are skipped.

    Raises BrokenClip when the file is missing, empty, no video, has no video stream, or yields fewer than
    three quarters of the frames that it announces.
    """
    try:
        # A pipe or a socket with a video's name would block for ever.
        if not path.is_file():
            raise BrokenClip(path, "no such file")
        if path.stat().st_size == 0:
            raise BrokenClip(path, "the file is empty")
        # The white list keeps a play list that poses as a video from opening network addresses; the absolute
        # path keeps "name:with:colons.mp4" from being read as an address.
        with av.open(str(path.absolute()), options={"protocol_whitelist": "file"}) as container:
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise BrokenClip(path, "it has no video stream")
            stream = streams[0]
            if stream.codec_context is None:  # whatever the type stubs say
                raise BrokenClip(path, "the codec of its video stream is not known")
            stream.codec_context.thread_count = 1
            announced = _announced_frames(container, stream)
            resizer = _Resizer(resolution)
            frames = [resizer(frame) for frame in _decoded_frames(container, stream, max_frames)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BrokenClip(path, getattr(error, "strerror", None) or str(error)) from error
    if not frames:
        raise BrokenClip(path, "no frame of it can be decoded")
    expected = min(announced, max_frames)
    if len(frames) < WHOLE_ENOUGH * expected:
        raise BrokenClip(path, f"it is truncated: only {len(frames)} of {announced} frames can be decoded")
    return np.stack(frames)


def _decoded_frames(
    container: av.container.InputContainer, stream: VideoStream, max_frames: int
) -> Iterator[VideoFrame]:
    count = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue  # One damaged packet; whether too many are is judged by the count at the end.
        for frame in frames:
            yield frame
            count += 1
            if count == max_frames:
                return


def _announced_frames(container: av.container.InputContainer, stream: VideoStream) -> int:
    """Frames by the container's own account, 0 where it gives none (webm does not count its frames)."""
    if stream.frames:
        return stream.frames
    alone = len(container.streams) == 1  # with a sound track the duration may be that of the sound
    if alone and container.duration and stream.average_rate:
        return int(Fraction(container.duration, av.time_base) * stream.average_rate)
    return 0


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
