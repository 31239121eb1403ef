from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.videos import stored_frames
from tvnsearch.data.sampling import middle_view
from tvnsearch.data.views import ONE_VIEW, Views, evaluation_views, parse_views
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import square_input


def test_views_as_the_protocols_write_them():
    assert parse_views("10x3") == Views(10, 3)
    assert parse_views("10x3").count == 30
    assert parse_views("1x1") == ONE_VIEW


@pytest.mark.parametrize("text", ["10", "0x3", "10x2", "x3", "10x3x1", "-1x3", ""])
def test_other_views_are_refused(text):
    with pytest.raises(UserError, match=f"such as 10x3, got '{text}'"):
        parse_views(text)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(1, 4), st.integers(1, 12))
def test_starts_are_spread_from_the_beginning_to_the_end(length, frames, stride, starts):
    spec = square_input(8, frames, stride)
    clip = stored_frames(np.zeros((length, 8, 8, 3), np.uint8))
    seen = evaluation_views(clip, spec, Views(starts, 1))
    assert len(seen) == starts
    if starts == 1:
        assert np.array_equal(seen[0].indices, middle_view(clip, spec).indices)
        return
    first = [int(view.indices[0]) for view in seen]
    assert first[0] == 0
    assert length < (frames - 1) * stride + 1 or seen[-1].indices[-1] == length - 1
    assert np.ptp(np.diff(first)) <= 1


@pytest.mark.parametrize(
    ("height", "width", "crops"),
    [
        (16, 30, [(0, 0), (0, 7), (0, 14)]),
        (30, 16, [(0, 0), (7, 0), (14, 0)]),
        (16, 16, [(0, 0), (0, 0), (0, 0)]),
    ],
)
def test_three_crops_cover_the_long_side(height, width, crops):
    clip = stored_frames(np.zeros((9, height, width, 3), np.uint8))
    seen = evaluation_views(clip, square_input(8, 4, 1), Views(2, 3))
    assert [(view.crop.top, view.crop.left) for view in seen] == 2 * crops
    assert {(view.crop.height, view.crop.width) for view in seen} == {(16, 16)}
    assert [int(view.indices[0]) for view in seen] == 3 * [0] + 3 * [5]
