from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvnsearch.data.sampling import take_frames
from tvnsearch.data.views import ONE_VIEW, Views, parse_views, take_views
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import InputSpec


def numbered_clip(frames, side):
    """Each pixel holds the number of its frame, its row and its column."""
    frame, row, column = np.meshgrid(np.arange(frames), np.arange(side), np.arange(side), indexing="ij")
    return np.stack([frame, row, column], axis=-1).astype(np.uint8)


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
    spec = InputSpec(8, frames, stride)
    clip = numbered_clip(length, 8)
    seen = take_views(clip, spec, Views(starts, 1))
    assert seen.shape == (starts, frames, 8, 8, 3)
    if starts == 1:
        assert np.array_equal(seen[0], take_frames(clip, spec, None))
        return
    first = seen[:, 0, 0, 0, 0].astype(int)
    assert first[0] == 0
    assert length < (frames - 1) * stride + 1 or seen[-1, -1, 0, 0, 0] == length - 1
    assert np.ptp(np.diff(first)) <= 1


def test_three_crops_are_left_middle_and_right():
    seen = take_views(numbered_clip(9, 16), InputSpec(8, 4, 1), Views(2, 3))
    assert seen.shape == (6, 4, 14, 14, 3)
    assert seen[:, 0, 0, 0, 2].tolist() == 2 * [0, 1, 2]
    assert set(seen[:, 0, 0, 0, 1].tolist()) == {1}
    assert seen[:, 0, 0, 0, 0].tolist() == 3 * [0] + 3 * [5]
