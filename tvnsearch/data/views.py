"""Several views of a clip for its evaluation: starts spread over its time, times crops across its frames."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tvnsearch.data.sampling import frames_from, slack
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import InputSpec

CROP_SHARE = 0.875
"""Side of each of three crops, as a share of the frame's side: 224 of 256 pixels in the usual protocols."""


class Views(Struct, frozen=True):
    """How many views of a clip are scored; one crop is the whole frame, three are left, middle and right."""

    starts: int = 1
    crops: int = 1

    @property
    def count(self) -> int:
        """Views of a clip in all."""
        return self.starts * self.crops


ONE_VIEW = Views()


def parse_views(text: str) -> Views:
    """Read `10x3`: ten starts, three crops of each.

    Raises UserError when it is not of that form, or the crops are neither 1 nor 3.
    """
    match = re.fullmatch(r"([1-9]\d*)x([13])", text)
    if match is None:
        raise UserError(f"expected views as starts x crops, with 1 or 3 crops, such as 10x3, got '{text}'")
    return Views(int(match[1]), int(match[2]))


def take_views(clip: npt.NDArray[np.uint8], spec: InputSpec, views: Views) -> npt.NDArray[np.uint8]:
    """Take the views of a clip of shape (frames, side, side, 3): (views, spec.frames, side', side', 3).

    One start lies in the middle; several are spread evenly from the clip's beginning to its end. Views of one
    start are neighbours.
    """
    free = slack(clip, spec)
    starts = [free // 2]
    if views.starts > 1:
        starts = [round(free * number / (views.starts - 1)) for number in range(views.starts)]
    taken = [frames_from(clip, spec, start) for start in starts]
    if views.crops == 1:
        return np.stack(taken)
    side = clip.shape[1]
    size = max(1, round(CROP_SHARE * side))
    top = (side - size) // 2
    return np.stack(
        [
            frames[:, top : top + size, left : left + size]
            for frames in taken
            for left in (0, top, side - size)
        ]
    )
