"""Frames as short runs of H.264, by the codec that PyAV carries: a thirtieth of the bytes.

A run begins with a key frame and refers to no other, so that any frame is there after a few that are decoded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import groupby

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

RUN = 8
"""Frames from one key frame to the next. Stored videos rely on it: with another one they are another form."""

PIXEL_FORMAT = "yuvj420p"
"""As JPEG has it: the whole range of values, in the matrix of BT.601, FFmpeg's where none is said."""

OPTIONS = {
    "preset": "veryfast",
    "tune": "fastdecode",
    "crf": "16",
    "bf": "0",  # without frames that refer to later ones, packets are in the order of frames, one for each
    "keyint_min": str(RUN),
    "sc_threshold": "0",  # key frames at their places, not where a scene begins
}

_of_thread = threading.local()


class H264Encoder:
    """Encodes frames of one size, uint8 RGB (height, width, 3), into one packet each, in their order."""

    def __init__(self, width: int, height: int) -> None:
        self._frames = 0
        self._codec = VideoCodecContext.create("libx264", "w")
        # Colours are kept for two by two pixels.
        self._codec.width, self._codec.height = width + width % 2, height + height % 2
        self._codec.pix_fmt = PIXEL_FORMAT
        self._codec.time_base = Fraction(1, 30)
        self._codec.gop_size = RUN
        self._codec.thread_count = 1
        self._codec.options = OPTIONS

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> list[bytes]:
        """Take the next frame; the packets that are done by now, of earlier frames mostly."""
        height, width = pixels.shape[:2]
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(even, format="rgb24").reformat(format=PIXEL_FORMAT, threads=1)
        frame.pts, frame.time_base = self._frames, self._codec.time_base
        self._frames += 1
        return [bytes(packet) for packet in self._codec.encode(frame)]

    def finish(self) -> list[bytes]:
        """The packets that are left."""
        return [bytes(packet) for packet in self._codec.encode(None)]


def decode_frames(packet_of: Callable[[int], bytes], numbers: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
    """The pixels of the frames of these numbers, which ascend: uint8 RGB (height, width, 3).

    Each run is decoded once, up to the last frame that is wanted of it. An odd side has one pixel more.
    """
    pixels: list[npt.NDArray[np.uint8]] = []
    for run, wanted in groupby(numbers, key=lambda number: number // RUN):
        places = [number % RUN for number in wanted]
        frames = _decoded([packet_of(run * RUN + place) for place in range(places[-1] + 1)])
        pixels += [
            frames[place].to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False)
            for place in places
        ]
    return pixels


def _decoded(packets: Sequence[bytes]) -> list[VideoFrame]:
    """The frames of packets of which the first is a key frame's."""
    if not hasattr(_of_thread, "codec"):
        _of_thread.codec = VideoCodecContext.create("h264", "r")
        _of_thread.codec.thread_count = 1
    codec: VideoCodecContext = _of_thread.codec
    try:
        frames = [frame for packet in packets for frame in codec.decode(av.Packet(packet))]
        return frames + codec.decode(None)
    finally:
        codec.flush_buffers()  # after its end it takes up another run
