"""Frames that are decoded from their video's own file when they are read, for what is read seldom.

Of such a video the times of its frames are known before (`frame_times`). A reader goes to the key frame in
front of the first frame that it wants and decodes from there to the last: what would be stored as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from tvnsearch.data.decode import Frame, Resizer, thinned
from tvnsearch.data.timeline import Timeline
from tvnsearch.data.video import BrokenClip, Shown, Video, open_video

EXACT = ("mov", "matroska", "image2")
"""Containers that find a key frame by its time; in others all that is before a wanted frame is decoded."""

SAME_S = 0.0005
"""Frames that are closer are the same one: Matroska rounds their times to milliseconds."""


def frame_times(video: Video, resolution: int) -> Iterator[Frame]:
    """What `decode.read_frames` would give, each frame with the pixels of the first: only that is decoded.

    Raises ValueError when not even one can be decoded.
    """
    first, times_s = video.packets()
    pixels = Resizer(resolution, video.pixel_ratio)(first)
    for shown in thinned(Shown(time_s, 0.0, first) for time_s in times_s.tolist()):
        yield Frame(shown.time_s, pixels)


Pixels = npt.NDArray[np.uint8]


class SourceVideo:
    """A video file that is decoded when it is read: its frames, all of one size, are those of `timeline`."""

    def __init__(self, path: Path, timeline: Timeline, height: int, width: int) -> None:
        self.height, self.width, self.timeline = height, width, timeline
        self._path = path

    def read(self, numbers: npt.NDArray[np.int64], crop: tuple[slice, slice]) -> npt.NDArray[np.uint8]:
        """The frames of these numbers, each cropped to rows and columns.

        In place of a frame that is damaged comes the next one, or at the end the last.

        Raises BrokenClip when the file is not there, or none of its frames can be decoded.
        """
        distinct, places = np.unique(numbers, return_inverse=True)
        wanted_s = self.timeline.times_s[distinct].tolist()
        decoded = self._decode_exactly(wanted_s) or self._decode_all(wanted_s)
        if not decoded:
            raise BrokenClip(self._path, "no frame of it can be decoded")
        return np.stack([pixels[crop] for pixels in decoded])[places]

    def _decode_exactly(self, wanted_s: Sequence[float]) -> list[Pixels]:
        """The frames of these times, which ascend, decoded from the key frame before the first on.

        None come where not all are found: a key frame may be missing, or the clock have been set on the way.
        """
        decoded: list[Pixels] = []
        with open_video(self._path) as video:
            resizer = self._resizer(video)
            for shown in _frames_from(video, wanted_s[0]):
                if shown.time_s > wanted_s[len(decoded)] + SAME_S:
                    return []
                if shown.time_s > wanted_s[len(decoded)] - SAME_S:
                    decoded.append(resizer(shown.frame))
                if len(decoded) == len(wanted_s):
                    return decoded
        return []

    def _decode_all(self, wanted_s: Sequence[float]) -> list[Pixels]:
        """The same from the beginning; the next frame, or the last, stands in for one that is not there."""
        decoded: list[Pixels] = []
        last: VideoFrame | None = None
        with open_video(self._path) as video:
            resizer = self._resizer(video)
            for shown in video.frames():
                last = shown.frame
                while len(decoded) < len(wanted_s) and shown.time_s > wanted_s[len(decoded)] - SAME_S:
                    decoded.append(resizer(shown.frame))
                if len(decoded) == len(wanted_s):
                    return decoded
            if last is not None:
                decoded += [resizer(last)] * (len(wanted_s) - len(decoded))
        return decoded

    def _resizer(self, video: Video) -> Resizer:
        return Resizer(min(self.height, self.width), video.pixel_ratio, (self.width, self.height))


def _frames_from(video: Video, begin_s: float) -> Iterator[Shown]:
    """Frames as `video.frames` gives them, from the key frame on that is shown at `begin_s` or before.

    There are none where it is not found, and all where the container cannot be asked for it.
    """
    stream = video.stream
    if begin_s <= 0 or stream.start_time is None or not video.container.format.name.startswith(EXACT):
        return video.frames()
    try:
        video.container.seek(stream.start_time + round(begin_s / (stream.time_base or 1)), stream=stream)
    except av.FFmpegError:
        return iter(())
    # What comes before the key frame may refer to frames that were not decoded.
    frames = dropwhile(lambda shown: not shown.frame.key_frame, video.frames())
    first = next(frames, None)
    if first is None or first.time_s > begin_s + SAME_S:
        return iter(())
    return chain([first], frames)
