from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.videos import stored_frames
from tvnsearch.data.decode import small_size
from tvnsearch.data.normalisation import PIXEL_MEAN, PIXEL_STD
from tvnsearch.data.sampling import (
    View,
    frame_indices,
    look,
    middle_crop,
    middle_view,
    normalise,
    resize,
    slack,
)
from tvnsearch.data.stored import Crop
from tvnsearch.genome.genome import InputSpec, square_input


def at_30(length):
    """The times of a clip of thirty frames a second, seconds."""
    return np.arange(length) / 30


@given(st.integers(1, 60), st.integers(1, 16), st.integers(1, 8), st.integers(0, 99))
def test_frames_are_a_stride_apart_and_the_last_is_held(length, frames, stride, seed):
    spec = square_input(8, frames, stride)
    start = np.random.default_rng(seed).integers(slack(at_30(length), spec) + 1)
    taken = frame_indices(at_30(length), spec, start)
    if length >= (frames - 1) * stride + 1:
        assert taken.tolist() == [start + index * stride for index in range(frames)]
        assert frame_indices(at_30(length), spec, slack(at_30(length), spec))[-1] == length - 1
    else:
        assert taken.tolist() == [min(index * stride, length - 1) for index in range(frames)]


@given(st.integers(1, 60), st.integers(1, 16), st.integers(1, 8), st.floats(0.5, 2))
def test_a_clip_that_is_played_faster_still_fits(length, frames, stride, speed):
    spec = square_input(8, frames, stride)
    free = slack(at_30(length), spec, speed)
    taken = frame_indices(at_30(length), spec, free, speed)
    assert len(taken) == frames
    assert (np.diff(taken) >= 0).all()
    assert taken.max() < length
    if free:
        assert taken[-1] == length - 1
        assert abs((taken[-1] - taken[0]) - speed * stride * (frames - 1)) <= 0.5


@given(
    st.floats(5, 240),
    st.integers(2, 200),
    st.integers(1, 8),
    st.integers(1, 8),
    st.floats(0.8, 1.25),
    st.integers(0, 99),
)
def test_at_any_rate_each_frame_is_the_nearest_to_its_time(rate, length, frames, stride, speed, seed):
    times_s = np.arange(length) / rate
    spec = square_input(8, frames, stride)
    start = int(np.random.default_rng(seed).integers(slack(times_s, spec, speed) + 1))
    taken = frame_indices(times_s, spec, start, speed)
    wanted_s = (start + stride * speed * np.arange(frames)) / 30
    off_s = np.abs(times_s[:, None] - wanted_s)
    assert off_s[taken, range(frames)] == pytest.approx(off_s.min(axis=0), abs=1e-5)


def test_a_camera_of_fifteen_a_second_is_not_twice_as_fast():
    times_s = np.arange(30) / 15
    assert frame_indices(times_s, square_input(8, 5, 4), 0).tolist() == [0, 2, 4, 6, 8]
    assert slack(times_s, square_input(8, 5, 4)) == 58 - 16


def test_a_gap_is_no_jump():
    """A second in which nothing came: what is nearest stands, and what follows is at its own time."""
    times_s = np.array([0.0, 0.1, 0.2, 1.2, 1.3, 1.4])
    taken = frame_indices(times_s, square_input(8, 8, 6), 0)  # every 0.2 s
    assert taken.tolist() == [0, 2, 2, 2, 3, 3, 3, 5]


def test_one_view_is_the_middle():
    clip = np.zeros((20, 8, 12, 3), np.uint8)
    view = middle_view(stored_frames(clip), square_input(8, 4, 3))
    assert view.indices.tolist() == [5, 8, 11, 14]
    assert view.crop == Crop(0, 2, 8, 8)


def test_a_view_is_cropped_and_mirrored():
    column = np.broadcast_to(np.arange(12, dtype=np.uint8)[None, None, :, None], (3, 8, 12, 3))
    frames = stored_frames(column)
    crop = Crop(1, 3, 6, 6)
    seen = look(frames, View(np.array([0, 2]), crop), square_input(6, 2))
    assert seen.shape == (2, 6, 6, 3)
    assert seen[0, 0, :, 0].tolist() == [3, 4, 5, 6, 7, 8]
    mirrored = look(frames, View(np.array([0, 2]), crop, mirrored=True), square_input(6, 2))
    assert mirrored[1, 5, :, 2].tolist() == [8, 7, 6, 5, 4, 3]


@pytest.mark.parametrize("size", [(7, 7), (16, 9), (20, 30)])
@pytest.mark.parametrize("wanted", [(7, 7), (16, 16), (40, 40), (9, 16), (20, 11)])
def test_any_crop_becomes_what_the_network_looks_at(size, wanted):
    pixels = np.full((3, *size, 3), 51, np.uint8)
    pixels[..., 1] = 255
    resized = resize(pixels, InputSpec(*wanted, 3))
    assert resized.shape == (3, *wanted, 3)
    assert (resized == [51, 255, 51]).all()


def test_shrinking_averages_instead_of_picking_pixels():
    pixels = np.zeros((1, 16, 16, 3), np.uint8)
    pixels[:, ::2] = 200  # stripes of one pixel
    assert np.abs(resize(pixels, square_input(4, 1)).astype(int) - 100).max() < 15


def test_network_input():
    pixels = np.full((2, 4, 4, 3), 51, np.uint8)
    pixels[..., 1] = 255
    prepared = normalise(pixels[:, :, ::-1])
    assert prepared.dtype == np.float32
    assert prepared.flags.c_contiguous
    expected = [(0.2 - PIXEL_MEAN) / PIXEL_STD, (1 - PIXEL_MEAN) / PIXEL_STD]
    assert np.allclose(prepared[..., :2], expected, atol=1e-5)
    place = np.empty_like(prepared)
    assert normalise(pixels, place) is place
    assert np.array_equal(place, prepared)


@pytest.mark.parametrize("video", [(1080, 1920), (1920, 1080), (720, 720), (480, 640), (640, 1920)])
@pytest.mark.parametrize("wanted", [(180, 320), (320, 180), (224, 224), (96, 192)])
def test_the_largest_crop_has_the_inputs_proportions_and_no_pixel_is_made_up(video, wanted):
    spec = InputSpec(*wanted, 1)
    width, height = small_size(video[1], video[0], spec.long_side)
    top, left, crop_height, crop_width = middle_crop(height, width, spec)
    assert crop_height == height or crop_width == width
    assert 0 <= top <= height - crop_height and abs(2 * top - (height - crop_height)) <= 1
    assert 0 <= left <= width - crop_width and abs(2 * left - (width - crop_width)) <= 1
    assert crop_width / crop_height == pytest.approx(wanted[1] / wanted[0], rel=0.01)
    # videos that have the pixels are decoded with as many as the network looks at
    assert crop_height >= wanted[0] and crop_width >= wanted[1]


def test_a_camera_of_the_inputs_proportions_is_seen_whole():
    spec = InputSpec(180, 320, 1)
    width, height = small_size(1920, 1080, spec.long_side)
    assert middle_crop(height, width, spec) == (0, 0, height, width)
