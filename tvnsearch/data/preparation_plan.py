"""What a preparation takes in room and time, from a few frames of a few of its videos."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tvnsearch.data.decode import BASE_RATE, read_frames
from tvnsearch.data.stored import Form, VideoWriter
from tvnsearch.data.video import BrokenClip, open_video

TIMED_VIDEOS, TIMED_FRAMES = 8, 48
"""Of so many videos so many frames are decoded and encoded to tell what all of them take."""


class PreparationPlan(NamedTuple):
    """What a preparation is going to do: videos to decode, the bytes that they take in a form, and seconds.

    Bytes and seconds are estimates; 0 where none of the videos that were tried can be decoded.
    """

    videos: int
    form: Form
    stored_bytes: float
    seconds: float


OnPlan = Callable[[PreparationPlan], None]


def timed_plan(sizes: Mapping[Path, int], resolution: int, form: Form, threads: int) -> PreparationPlan:
    """Decode the beginning of a few videos, and take all for such ones; `sizes` are the bytes of each source.

    Their number of frames follows from their bytes, and all `threads` are taken to be as fast as this one.
    """
    frames = announced = read_bytes = 0.0
    stored_bytes = 0
    began_s = time.perf_counter()
    for source in sampled(sizes, TIMED_VIDEOS):
        with suppress(BrokenClip), open_video(source) as video:
            written = BytesIO()
            writer = VideoWriter(written, form)
            for frame in islice(read_frames(video, resolution), TIMED_FRAMES):
                writer.add(frame)
            writer.finish(0.0, None)
            frames += writer.frames
            stored_bytes += written.tell()
            rate = min(video.frame_rate or BASE_RATE, BASE_RATE)
            announced += max(video.guessed_s * rate, writer.frames)
            read_bytes += sizes[source]
    took_s = time.perf_counter() - began_s
    if not frames or not read_bytes:
        return PreparationPlan(len(sizes), form, 0.0, 0.0)
    times = announced / frames * sum(sizes.values()) / read_bytes
    return PreparationPlan(len(sizes), form, stored_bytes * times, took_s * times / threads)


def sampled(sizes: Mapping[Path, int], most: int) -> list[Path]:
    """About so many of the videos, from all over the list."""
    return list(sizes)[:: max(1, -(-len(sizes) // most))]
