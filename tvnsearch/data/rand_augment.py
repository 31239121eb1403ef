"""RandAugment for clips: a few operations on the pixels, drawn for a clip and the same in all of its frames.

The fourteen of Cubuk et al. 2020, "RandAugment: Practical automated data augmentation with a reduced search
space" (figure 2), at torchvision's largest strengths. What looks at a picture before it changes it (auto
contrast, equalise, contrast) looks at the whole clip: a frame alone would flicker.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tvnsearch.data.normalisation import PIXEL_MEAN

Pixels = npt.NDArray[np.uint8]
"""A clip, uint8 RGB (frames, height, width, 3)."""

MOST_MAGNITUDE = 10.0
"""The magnitude at which each operation is at its strongest, as in the paper."""

LARGEST_SHEAR, LARGEST_SHIFT, LARGEST_ANGLE_DEGREES = 0.3, 150 / 331, 30.0
"""How far pixels move: a share of their distance from the middle, a share of the side, an angle."""

LARGEST_BLEND = 0.9
"""How much of a colour, a contrast, a brightness or a sharpness is taken away, or added."""

FEWEST_BITS = 4
"""What posterising leaves of 8 bits."""

FILL = round(255 * PIXEL_MEAN)
"""What comes into the picture from outside of it: 0 to the network."""

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
"""The kernel that sharpness is measured against."""


class Operation(NamedTuple):
    """One of `OPERATIONS` by its name, and how strong it is, -1 to 1."""

    name: str
    strength: float


def draw_operations(count: int, magnitude: float, rng: np.random.Generator) -> tuple[Operation, ...]:
    """So many operations, each as likely as any other, to either side with `magnitude` (0 to 10)."""
    names = tuple(OPERATIONS)
    numbers = rng.integers(len(names), size=count)
    signs = rng.choice((-1.0, 1.0), size=count)
    strength = magnitude / MOST_MAGNITUDE
    return tuple(
        Operation(names[number], float(sign) * strength) for number, sign in zip(numbers, signs, strict=True)
    )


def identity(pixels: Pixels, _strength: float) -> Pixels:
    """The clip as it is."""
    return pixels


def auto_contrast(pixels: Pixels, _strength: float) -> Pixels:
    """Each channel stretched so that its darkest value of the clip is 0 and its lightest 255."""
    low = pixels.min(axis=(0, 1, 2)).astype(np.float64)
    high = pixels.max(axis=(0, 1, 2)).astype(np.float64)
    scale = np.where(high > low, 255 / np.maximum(high - low, 1), 1.0)
    offset = np.where(high > low, -low * scale, 0.0)
    return _by_tables(pixels, np.arange(256) * scale[:, None] + offset[:, None])


def equalise(pixels: Pixels, _strength: float) -> Pixels:
    """Each channel so that all values are about equally frequent in the clip, as Pillow does it for one."""
    tables = np.stack([_equalising(np.bincount(pixels[..., c].ravel(), minlength=256)) for c in range(3)])
    return _by_tables(pixels, tables)


def posterise(pixels: Pixels, strength: float) -> Pixels:
    """Values with fewer bits, the lower ones 0."""
    bits = 8 - round(abs(strength) * (8 - FEWEST_BITS))
    return pixels & np.uint8(256 - (1 << (8 - bits)))


def solarise(pixels: Pixels, strength: float) -> Pixels:
    """Values from a threshold on turned into their negative; the stronger, the lower it is."""
    values = np.arange(256.0)
    return _by_tables(pixels, np.where(values >= 256 * (1 - abs(strength)), 255 - values, values))


def brightness(pixels: Pixels, strength: float) -> Pixels:
    """Lighter, or darker towards black."""
    return _by_tables(pixels, np.arange(256) * (1 + LARGEST_BLEND * strength))


def contrast(pixels: Pixels, strength: float) -> Pixels:
    """Away from the mean grey of the clip, or towards it."""
    mean = int(_grey(pixels).mean() + 0.5)
    return _by_tables(pixels, mean + (np.arange(256) - mean) * (1 + LARGEST_BLEND * strength))


def colour(pixels: Pixels, strength: float) -> Pixels:
    """More colourful, or greyer."""
    return _blend(_grey(pixels)[..., None], pixels, strength)


def sharpness(pixels: Pixels, strength: float) -> Pixels:
    """Sharper than the frames are, or smoother; the outermost pixels stay."""
    smooth = pixels.astype(np.float32)
    height, width = pixels.shape[1:3]
    if height > 2 and width > 2:
        inner = np.zeros((len(pixels), height - 2, width - 2, 3), np.float32)
        for row in range(3):
            for column in range(3):
                shifted = pixels[:, row : height - 2 + row, column : width - 2 + column]
                inner += SMOOTH[row, column] * shifted
        smooth[:, 1:-1, 1:-1] = inner
    return _blend(smooth, pixels, strength)


def shear_x(pixels: Pixels, strength: float) -> Pixels:
    """Rows pushed sideways, the further from the middle the more."""
    return _moved(pixels, ((1.0, LARGEST_SHEAR * strength), (0.0, 1.0)))


def shear_y(pixels: Pixels, strength: float) -> Pixels:
    """Columns pushed up and down, the further from the middle the more."""
    return _moved(pixels, ((1.0, 0.0), (LARGEST_SHEAR * strength, 1.0)))


def translate_x(pixels: Pixels, strength: float) -> Pixels:
    """To the right, or to the left."""
    return _moved(pixels, shift=(LARGEST_SHIFT * strength * pixels.shape[2], 0.0))


def translate_y(pixels: Pixels, strength: float) -> Pixels:
    """Down, or up."""
    return _moved(pixels, shift=(0.0, LARGEST_SHIFT * strength * pixels.shape[1]))


def rotate(pixels: Pixels, strength: float) -> Pixels:
    """Around the middle: anticlockwise, or clockwise."""
    angle = math.radians(LARGEST_ANGLE_DEGREES * strength)
    sine, cosine = math.sin(angle), math.cos(angle)
    return _moved(pixels, ((cosine, -sine), (sine, cosine)))


OPERATIONS: dict[str, Callable[[Pixels, float], Pixels]] = {
    operation.__name__: operation
    for operation in (
        identity,
        auto_contrast,
        equalise,
        rotate,
        solarise,
        colour,
        posterise,
        contrast,
        brightness,
        sharpness,
        shear_x,
        shear_y,
        translate_x,
        translate_y,
    )
}
"""What may be drawn, by name: a clip and a strength of -1 to 1 give a clip of the same shape."""


def _by_tables(pixels: Pixels, tables: npt.NDArray[np.floating | np.integer]) -> Pixels:
    """Each value replaced by that of a table, (256,), or one for each channel, (3, 256)."""
    rounded = np.rint(np.clip(tables, 0, 255)).astype(np.uint8)
    changed: Pixels = rounded[pixels] if rounded.ndim == 1 else rounded[np.arange(3), pixels]
    return changed


def _equalising(histogram: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pillow's table: the pixels below each value, in steps of which there are 255."""
    present = histogram[histogram > 0]
    step = int(present.sum() - present[-1]) // 255
    if step == 0:
        return np.arange(256)
    below = np.cumsum(histogram) - histogram
    return (below + step // 2) // step


def _grey(pixels: Pixels) -> npt.NDArray[np.int64]:
    """Luma of ITU-R 601 in whole numbers, as Pillow rounds it: (frames, height, width)."""
    red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


def _blend(plain: npt.NDArray[np.float32] | npt.NDArray[np.int64], pixels: Pixels, strength: float) -> Pixels:
    """From what a clip is without a property towards the clip, and beyond it where `strength` is positive."""
    factor = np.float32(1 + LARGEST_BLEND * strength)
    start = plain.astype(np.float32)
    blended: Pixels = np.rint(np.clip(start + factor * (pixels - start), 0, 255)).astype(np.uint8)
    return blended


def _moved(
    pixels: Pixels,
    towards: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0)),
    shift: tuple[float, float] = (0.0, 0.0),
) -> Pixels:
    """Each pixel from where `towards` says, (x, y) from the middle, of the clip shifted by (x, y) pixels.

    From the nearest pixel there; what lies outside of the frame is `FILL`.
    """
    height, width = pixels.shape[1:3]
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    x, y = columns - (width - 1) / 2 - shift[0], rows - (height - 1) / 2 - shift[1]
    (x_from_x, x_from_y), (y_from_x, y_from_y) = towards
    columns = np.rint(x_from_x * x + x_from_y * y + (width - 1) / 2).astype(np.int64)
    rows = np.rint(y_from_x * x + y_from_y * y + (height - 1) / 2).astype(np.int64)
    outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
    moved: Pixels = pixels[:, rows.clip(0, height - 1), columns.clip(0, width - 1)]
    moved[:, outside] = FILL
    return moved
