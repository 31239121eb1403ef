"""What makes each epoch of a training see other frames of a clip, and other parts of them."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from tvnsearch.data.sampling import View, frame_indices, largest_crop, slack
from tvnsearch.data.stored import Crop, Frames
from tvnsearch.genome.genome import InputSpec


class Augmentation(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a view in training may lie from the middle of its clip; the start is always anywhere.

    A crop is resized to the network's input (Szegedy et al. 2015, "Going deeper with convolutions", section
    6): its area is between `smallest_area` and all of the largest crop of a frame that has the input's
    proportions, and its own proportions are within a ratio of `widest_ratio` of these. It lies anywhere in
    the frame. A clip is played up to `fastest` times as fast or as slow.
    Half of the clips are mirrored where `mirror` and the data set (`Dataset.mirrorable`) allow it.
    """

    smallest_area: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.7
    widest_ratio: Annotated[float, Meta(ge=1.0)] = 4 / 3
    fastest: Annotated[float, Meta(ge=1.0)] = 1.25
    mirror: bool = True


def random_view(
    frames: Frames, spec: InputSpec, augmentation: Augmentation, mirrorable: bool, rng: np.random.Generator
) -> View:
    """Draw a view of a clip, with the same number of draws whatever the clip."""
    speed = augmentation.fastest ** rng.uniform(-1, 1)
    start = int(rng.random() * (slack(frames.times_s, spec, speed) + 1))
    indices = frame_indices(frames.times_s, spec, start, speed)
    crop = _random_crop(frames.height, frames.width, spec, augmentation, rng)
    mirrored = bool(rng.random() < 0.5)
    return View(indices, crop, mirrored and mirrorable and augmentation.mirror)


def _random_crop(
    height: int, width: int, spec: InputSpec, augmentation: Augmentation, rng: np.random.Generator
) -> Crop:
    area = math.prod(largest_crop(height, width, spec)) * rng.uniform(augmentation.smallest_area, 1)
    ratio = spec.width / spec.height * math.exp(math.log(augmentation.widest_ratio) * rng.uniform(-1, 1))
    # A side that does not fit is cut to the frame's, and the other one made up for it where there is room.
    crop_width = min(width, max(1, round(math.sqrt(area * ratio))))
    crop_height = min(height, max(1, round(area / crop_width)))
    crop_width = min(width, max(1, round(area / crop_height)))
    top, left = rng.random(2) * (height - crop_height + 1, width - crop_width + 1)
    return Crop(int(top), int(left), crop_height, crop_width)
