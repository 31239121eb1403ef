"""Several views of a clip for its evaluation: starts spread over its time, crops along its long side."""

from __future__ import annotations

import re

from msgspec import Struct

from tvnsearch.data.sampling import View, frame_indices, largest_crop, middle_crop, middle_view, slack
from tvnsearch.data.stored import Crop, Frames
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import InputSpec


class Views(Struct, frozen=True):
    """How many views of a clip are scored.

    A crop is as large as a frame has room for at the proportions of the network's input, mostly a square. One
    is the middle of a frame; three are at both ends and in the middle of the side that it does not fill, and
    cover the frame (Feichtenhofer et al. 2019, "SlowFast networks", section 4). In a frame of the input's own
    proportions the three are the same.
    """

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


def evaluation_views(frames: Frames, spec: InputSpec, views: Views) -> list[View]:
    """The views of a clip, those of one start one after the other.

    One start lies in the middle; several are spread evenly from the clip's beginning to its end.
    """
    if views == ONE_VIEW:
        return [middle_view(frames, spec)]
    free = slack(frames.times_s, spec)
    starts = [free // 2]
    if views.starts > 1:
        starts = [round(free * number / (views.starts - 1)) for number in range(views.starts)]
    crops = [middle_crop(frames.height, frames.width, spec)]
    if views.crops == 3:
        crops = _three_crops(frames.height, frames.width, spec)
    return [View(frame_indices(frames.times_s, spec, start), crop) for start in starts for crop in crops]


def _three_crops(height: int, width: int, spec: InputSpec) -> list[Crop]:
    crop = largest_crop(height, width, spec)
    return [
        Crop(0, 0, *crop),
        middle_crop(height, width, spec),
        Crop(height - crop[0], width - crop[1], *crop),
    ]
