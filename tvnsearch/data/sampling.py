"""What a genome looks at, taken from decoded clips: frames, stride and resolution, normalised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from tvnsearch.genome.genome import InputSpec

PIXEL_MEAN = 0.45
PIXEL_STD = 0.225
"""Pixels are normalised to (x / 255 - PIXEL_MEAN) / PIXEL_STD, the same for every channel."""

SMALLEST_CROP = 0.85
"""Side of the smallest random crop in training, as a share of the frame's side."""


def take_frames(
    clip: npt.NDArray[np.uint8], spec: InputSpec, rng: np.random.Generator | None
) -> npt.NDArray[np.uint8]:
    """Take `spec.frames` frames, `spec.frame_stride` apart, from a clip of shape (frames, height, width, 3).

    They start at random with an `rng` (training) and lie in the middle without (evaluation). A clip that is
    too short is taken from its first frame on, and its last frame is held to the end.
    """
    free = slack(clip, spec)
    return frames_from(clip, spec, free // 2 if rng is None else int(rng.integers(free + 1)))


def slack(clip: npt.NDArray[np.uint8], spec: InputSpec) -> int:
    """The last frame that `spec` can start from without running over the clip's end; 0 if it always does."""
    return max(0, len(clip) - (spec.frames - 1) * spec.frame_stride - 1)


def frames_from(clip: npt.NDArray[np.uint8], spec: InputSpec, start: int) -> npt.NDArray[np.uint8]:
    """The frames of `spec` from frame `start` on; behind the clip's end its last frame is held."""
    indices = start + spec.frame_stride * np.arange(spec.frames)
    return clip[np.minimum(indices, len(clip) - 1)]


def crop_at_random(clips: Tensor, rng: np.random.Generator) -> Tensor:
    """Crop a batch of (batch, frames, side, side, 3) to smaller squares.

    One size for the batch (so that it stays one tensor), one place for each clip. Nothing is mirrored.
    """
    side = clips.shape[2]
    size = int(rng.integers(round(SMALLEST_CROP * side), side + 1))
    places = rng.integers(side - size + 1, size=(len(clips), 2))
    return torch.stack(
        [
            clip[:, top : top + size, left : left + size]
            for clip, (top, left) in zip(clips, places, strict=True)
        ]
    )


def mirror_at_random(clips: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror each clip of (batch, frames, side, side, 3) left to right, or not, all its frames alike.

    Only for data whose mirrored clips show the same class: often the direction of motion is the label.
    """
    mirrored = torch.from_numpy(rng.integers(2, size=len(clips)).astype(bool))
    return torch.where(mirrored[:, None, None, None, None], clips.flip(3), clips)


def to_network_input(clips: Tensor, resolution: int) -> Tensor:
    """Resize and normalise uint8 (batch, frames, side, side, 3) to the network's input.

    float32, contiguous, of shape (batch, frames, resolution, resolution, 3); bilinear, with antialiasing when
    shrinking.
    """
    batch, frames, side = clips.shape[:3]
    if side != resolution:
        images = clips.flatten(0, 1).permute(0, 3, 1, 2)
        images = functional.interpolate(
            images, (resolution, resolution), mode="bilinear", antialias=side > resolution
        )
        clips = images.permute(0, 2, 3, 1).reshape(batch, frames, resolution, resolution, 3)
    return clips.to(torch.float32).mul_(1 / (255 * PIXEL_STD)).sub_(PIXEL_MEAN / PIXEL_STD).contiguous()
