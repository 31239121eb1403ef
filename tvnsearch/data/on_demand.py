"""Frames that are decoded from their video's own file when they are read, for what is read seldom.

Of such a video the times of its frames are known before (`frame_times`). A reader goes to the key frame in
front of the first frame that it wants and decodes from there to the last: what would be stored as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain, dropwhile
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from tvnsearch.data.decode import Frame, Resizer, thinning
from tvnsearch.data.video import WITHOUT_TIMES, BrokenClip, Video, open_video

EXACT = ("mov", "matroska", "image2")
"""Containers that find a key frame by its time; in others all that is before a wanted frame is decoded."""

SAME_S = 0.0005
"""Frames that are closer are the same one: Matroska rounds their times to milliseconds."""


def frame_times(video: Video, resolution: int) -> Iterator[Frame]:
    """What `decode.read_frames` would give, each frame with the pixels of the first: only that is decoded."""
    times_s: list[float] = []
    pixels: npt.NDArray[np.uint8] | None = None
    timed = video.container.format.name not in WITHOUT_TIMES
    time_base, origin = video.stream.time_base or Fraction(1), video.stream.start_time or 0
    period_s = 1 / video.frame_rate if video.frame_rate else 0.0
    for packet in video.container.demux(video.stream):
        if packet.size and not packet.is_discard:
            if timed and packet.pts is not None:
                times_s.append(float((packet.pts - origin) * time_base))
            else:
                times_s.append(len(times_s) * period_s)
        if pixels is None:
            with suppress(av.error.InvalidDataError):
                pixels = next((Resizer(resolution)(frame) for frame in packet.decode()), None)
    if pixels is not None:
        for time_s in sorted(times_s)[:: thinning(video.frame_rate)]:
            yield Frame(time_s, pixels)


class SourceVideo:
    """A video file that is decoded when it is read: its frames are shown at `times_s`, and have one size."""

    def __init__(self, path: Path, times_s: npt.NDArray[np.float64], height: int, width: int) -> None:
        self.height, self.width = height, width
        self._path, self._times_s = path, times_s

    def read(self, numbers: npt.NDArray[np.int64], crop: tuple[slice, slice]) -> npt.NDArray[np.uint8]:
        """The frames of these numbers, each cropped to rows and columns.

        In place of a frame that is damaged comes the next one, or at the end the last.

        Raises BrokenClip when the file is not there, or none of its frames can be decoded.
        """
        distinct, places = np.unique(numbers, return_inverse=True)
        wanted_s = self._times_s[distinct].tolist()
        decoded = self._decode(wanted_s, wanted_s[0]) or self._decode(wanted_s, 0.0)
        if not decoded:
            raise BrokenClip(self._path, "no frame of it can be decoded")
        return np.stack([pixels[crop] for pixels in decoded])[places]

    def _decode(self, wanted_s: Sequence[float], begin_s: float) -> list[npt.NDArray[np.uint8]]:
        """The frames of these times, which ascend, decoded from the key frame before `begin_s` on.

        None come where that is not to be found.
        """
        resizer = Resizer(min(self.height, self.width), (self.width, self.height))
        decoded: list[npt.NDArray[np.uint8]] = []
        last: VideoFrame | None = None
        with open_video(self._path) as video:
            for time_s, frame in _frames_from(video, begin_s):
                last = frame
                while len(decoded) < len(wanted_s) and time_s > wanted_s[len(decoded)] - SAME_S:
                    decoded.append(resizer(frame))
                if len(decoded) == len(wanted_s):
                    return decoded
            if last is not None:
                decoded += [resizer(last)] * (len(wanted_s) - len(decoded))
        return decoded


def _frames_from(video: Video, begin_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Frames as `video.frames` gives them, from the key frame on that is shown at `begin_s` or before.

    There are none where it is not found, and all where the container cannot be asked for it.
    """
    stream, origin = video.stream, video.stream.start_time
    if begin_s <= 0 or origin is None or not video.container.format.name.startswith(EXACT):
        return video.frames()
    try:
        video.container.seek(origin + round(begin_s / (stream.time_base or 1)), stream=stream)
    except av.FFmpegError:
        return iter(())
    # What comes before the key frame may refer to frames that were not decoded.
    frames = dropwhile(lambda shown: not shown[1].key_frame, video.frames())
    first = next(frames, None)
    if first is None or first[0] > begin_s + SAME_S:
        return iter(())
    return chain([first], frames)
