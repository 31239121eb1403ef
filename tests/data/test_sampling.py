from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tvnsearch.data.sampling import (
    PIXEL_MEAN,
    PIXEL_STD,
    crop_at_random,
    mirror_at_random,
    take_frames,
    to_network_input,
)
from tvnsearch.genome.genome import InputSpec


def counting_clip(frames):
    """A clip whose pixels hold the number of their frame."""
    return np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, 4, 4, 3))


@given(st.integers(1, 60), st.integers(1, 16), st.integers(1, 8), st.one_of(st.none(), st.integers(0, 99)))
def test_frames_are_a_stride_apart_and_the_last_is_held(length, frames, stride, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    taken = take_frames(counting_clip(length), InputSpec(8, frames, stride), rng)[:, 0, 0, 0].astype(int)
    span = (frames - 1) * stride + 1
    if length >= span:
        assert (np.diff(taken) == stride).all()
        assert rng is not None or abs(taken[0] - (length - 1 - taken[-1])) <= 1  # the middle
    else:
        assert taken.tolist() == [min(index * stride, length - 1) for index in range(frames)]


def test_training_starts_anywhere():
    rng = np.random.default_rng(0)
    starts = {int(take_frames(counting_clip(10), InputSpec(8, 4, 2), rng)[0, 0, 0, 0]) for _ in range(100)}
    assert starts == {0, 1, 2, 3}


def test_a_crop_is_the_same_for_all_frames_of_a_clip():
    plane = torch.arange(400, dtype=torch.int32).reshape(20, 20)
    clips = plane[None, None, :, :, None].expand(4, 3, 20, 20, 3)
    corners = set()
    for seed in range(20):
        cropped = crop_at_random(clips, np.random.default_rng(seed))
        assert 17 <= cropped.shape[2] == cropped.shape[3] <= 20
        assert (cropped[:, :1] == cropped).all()
        assert (cropped[:, :, :, 1:] > cropped[:, :, :, :-1]).all()  # never mirrored
        corners |= set(cropped[:, 0, 0, 0, 0].tolist())
    assert len(corners) > 5


def test_about_half_of_the_clips_are_mirrored_in_all_frames():
    columns = torch.arange(6, dtype=torch.uint8)
    clips = columns[None, None, None, :, None].expand(200, 3, 6, 6, 3)
    seen = mirror_at_random(clips, np.random.default_rng(0))
    mirrored = (seen == clips.flip(3)).flatten(1).all(1)
    assert (mirrored | (seen == clips).flatten(1).all(1)).all()
    assert 60 < mirrored.sum() < 140


@pytest.mark.parametrize("resolution", [7, 16, 20])
def test_network_input(resolution):
    clips = torch.full((2, 3, 16, 16, 3), 51, dtype=torch.uint8)
    clips[..., 1] = 255
    prepared = to_network_input(clips, resolution)
    assert prepared.shape == (2, 3, resolution, resolution, 3)
    assert prepared.dtype == torch.float32
    assert prepared.is_contiguous()
    expected = torch.tensor([(0.2 - PIXEL_MEAN) / PIXEL_STD, (1 - PIXEL_MEAN) / PIXEL_STD])
    assert torch.allclose(prepared[..., 0], expected[0], atol=1e-5)
    assert torch.allclose(prepared[..., 1], expected[1], atol=1e-5)


def test_shrinking_averages_instead_of_picking_pixels():
    clips = torch.zeros(1, 1, 16, 16, 3, dtype=torch.uint8)
    clips[:, :, ::2] = 200  # stripes of one pixel
    shrunk = to_network_input(clips, 4) * PIXEL_STD + PIXEL_MEAN
    assert (shrunk * 255 - 100).abs().max() < 15
