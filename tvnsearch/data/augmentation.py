"""What makes each epoch of a training see other frames of a clip, and other parts of them."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

import numpy as np
from msgspec import Meta, Struct

from tvnsearch.data.rand_augment import MOST_MAGNITUDE, OPERATIONS, Operation, Pixels, draw_operations
from tvnsearch.data.sampling import View, frame_indices, largest_crop, slack
from tvnsearch.data.stored import Crop, Frames
from tvnsearch.genome.genome import InputSpec

SMALLEST_ERASED, LARGEST_ERASED, MOST_OBLONG = 0.02, 1 / 3, 10 / 3
"""What is erased of a frame: a share of its area, and the ratio of the two sides' shares."""


Mirror = Literal["auto", "always", "never"]
"""Which data have half of their clips mirrored: those whose classes that does not change, all, or none."""


class Augmentation(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a view in training may lie from the middle of its clip; the start is always anywhere.

    A crop is resized to the network's input (Szegedy et al. 2015, "Going deeper with convolutions", section
    6): its area is between `smallest_area` and all of the largest crop of a frame that has the input's
    proportions, and its own proportions are within a ratio of `widest_ratio` of these. It lies anywhere in
    the frame. A clip is played up to `fastest` times as fast or as slow.
    Half of the clips are mirrored: with `mirror` "auto" where `Dataset.mirrorable` says that their classes
    stay, with "always" whatever it says, with "never" nowhere.

    The pixels of a view are changed by so many `rand_augment_operations` at `rand_augment_magnitude`
    (`rand_augment`), and of `erasing_share` of the clips a rectangle is erased (Zhong et al. 2020, "Random
    erasing data augmentation"): the same one in all frames, in one colour.
    """

    smallest_area: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.7
    widest_ratio: Annotated[float, Meta(ge=1.0)] = 4 / 3
    fastest: Annotated[float, Meta(ge=1.0)] = 1.25
    mirror: Mirror = "auto"
    rand_augment_operations: Annotated[int, Meta(ge=0)] = 0
    rand_augment_magnitude: Annotated[float, Meta(ge=0.0, le=MOST_MAGNITUDE)] = 7.0
    erasing_share: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0


def random_view(
    frames: Frames, spec: InputSpec, augmentation: Augmentation, mirrorable: bool, rng: np.random.Generator
) -> View:
    """Draw a view of a clip, with the same number of draws whatever the clip."""
    speed = augmentation.fastest ** rng.uniform(-1, 1)
    start = int(rng.random() * (slack(frames.times_s, spec, speed) + 1))
    indices = frame_indices(frames.times_s, spec, start, speed)
    crop = _random_crop(frames.height, frames.width, spec, augmentation, rng)
    allowed = {"auto": mirrorable, "always": True, "never": False}[augmentation.mirror]
    return View(indices, crop, bool(rng.random() < 0.5) and allowed)


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


class Erasure(NamedTuple):
    """A part of every frame, in shares of its height and width, and the colour that it gets."""

    top: float
    left: float
    height: float
    width: float
    colour: tuple[int, ...]


class Change(NamedTuple):
    """What is done to the pixels of a view, whatever its frames and its resolution."""

    operations: tuple[Operation, ...] = ()
    erasure: Erasure | None = None


def draw_change(augmentation: Augmentation, rng: np.random.Generator) -> Change:
    """Draw what is done to the pixels of one clip; nothing is drawn for what the augmentation leaves out."""
    operations: tuple[Operation, ...] = ()
    if augmentation.rand_augment_operations:
        count, magnitude = augmentation.rand_augment_operations, augmentation.rand_augment_magnitude
        operations = draw_operations(count, magnitude, rng)
    if not augmentation.erasing_share:
        return Change(operations)
    erased = rng.random() < augmentation.erasing_share
    area = rng.uniform(SMALLEST_ERASED, LARGEST_ERASED)
    oblong = math.sqrt(math.exp(math.log(MOST_OBLONG) * rng.uniform(-1, 1)))
    height, width = min(1.0, math.sqrt(area) * oblong), min(1.0, math.sqrt(area) / oblong)
    top, left = rng.random(2) * (1 - height, 1 - width)
    colour = tuple(rng.integers(256, size=3).tolist())
    return Change(operations, Erasure(float(top), float(left), height, width, colour) if erased else None)


def changed(pixels: Pixels, change: Change) -> Pixels:
    """The pixels of a view, uint8 (frames, height, width, 3), with a change made to all frames alike."""
    for operation in change.operations:
        pixels = OPERATIONS[operation.name](pixels, operation.strength)
    if change.erasure is None:
        return pixels
    top, left, height, width, colour = change.erasure
    rows, columns = pixels.shape[1:3]
    erased = pixels.copy()
    erased[
        :,
        int(top * rows) : math.ceil((top + height) * rows),
        int(left * columns) : math.ceil((left + width) * columns),
    ] = colour
    return erased
