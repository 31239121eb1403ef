"""What a genome looks at: frames, stride and resolution of a decoded clip, normalised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from tvnsearch.data.decode import BASE_RATE
from tvnsearch.data.normalisation import PIXEL_MEAN, PIXEL_STD
from tvnsearch.data.stored import Crop, Frames
from tvnsearch.data.timeline import nearest
from tvnsearch.genome.genome import InputSpec


class View(NamedTuple):
    """One look at a clip: numbers of its frames, the part of each, and whether that is mirrored."""

    indices: npt.NDArray[np.int64]
    crop: Crop
    mirrored: bool = False


def slack(times_s: npt.NDArray[np.float64], spec: InputSpec, speed: float = 1.0) -> int:
    """The last tick of a clip that `spec` can start from and stay within it; 0 if there is none.

    `times_s` are the seconds at which its frames are shown; ticks, of which `BASE_RATE` are a second, count
    from the first. `speed` is that at which the clip is played: 2 takes frames twice as far apart.
    """
    first, last = (round(float(time_s) * BASE_RATE) for time_s in (times_s[0], times_s[-1]))
    return max(0, last - first - round((spec.frames - 1) * spec.frame_stride * speed))


def frame_indices(
    times_s: npt.NDArray[np.float64], spec: InputSpec, start: int, speed: float = 1.0
) -> npt.NDArray[np.int64]:
    """Numbers of the frames that are nearest to the times of `spec` from tick `start` on.

    Behind the clip's end its last frame is held. Ticks are the video's, whose frames are stored for them.
    """
    first = np.rint(times_s[0] * BASE_RATE) + start
    ticks = first + spec.frame_stride * speed * np.arange(spec.frames)
    return nearest(times_s, ticks / BASE_RATE)


def largest_crop(height: int, width: int, spec: InputSpec) -> tuple[int, int]:
    """Height and width of the largest part of a frame that has the proportions of the network's input."""
    scale = min(height / spec.height, width / spec.width)
    return max(1, round(spec.height * scale)), max(1, round(spec.width * scale))


def middle_crop(height: int, width: int, spec: InputSpec) -> Crop:
    """The largest part in the middle of a frame that has the proportions of the network's input."""
    crop_height, crop_width = largest_crop(height, width, spec)
    return Crop((height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width)


def middle_view(frames: Frames, spec: InputSpec) -> View:
    """The middle of a clip in time, and in space its largest crop: what a single view is of."""
    start = slack(frames.times_s, spec) // 2
    indices = frame_indices(frames.times_s, spec, start)
    return View(indices, middle_crop(frames.height, frames.width, spec))


def look(frames: Frames, view: View, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """The pixels of a view at the network's resolution: uint8 (frames, height, width, 3)."""
    pixels = resize(frames.take(view.indices, view.crop), spec)
    return pixels[:, :, ::-1] if view.mirrored else pixels


def resize(pixels: npt.NDArray[np.uint8], spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Resize uint8 (frames, height, width, 3) to the input's pixels; bilinear, antialiased when shrinking."""
    size = spec.height, spec.width
    if pixels.shape[1:3] == size:
        return pixels
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    images = functional.interpolate(images, size, mode="bilinear", antialias=True)
    resized: npt.NDArray[np.uint8] = images.permute(0, 2, 3, 1).numpy()
    return resized


def normalise(
    pixels: npt.NDArray[np.uint8], out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """Pixels as the network's input: float32, contiguous, of the same shape; in `out` where given.

    By numpy, on the thread that calls: torch would start a team of threads beside the trainer's.
    """
    scaled = np.multiply(pixels, np.float32(1 / (255 * PIXEL_STD)), out=out, order="C")
    return np.subtract(scaled, np.float32(PIXEL_MEAN / PIXEL_STD), out=scaled)
