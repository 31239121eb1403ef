"""Each operation against values worked out by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tvnsearch.data.rand_augment import FILL, OPERATIONS, draw_operations

MOVING = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")

BY_CLIP = ("auto_contrast", "equalise", "contrast")
"""What these do to a frame depends on the others."""


def grey(*values):
    """A clip of one row of grey pixels."""
    return np.array(values, np.uint8).reshape(1, 1, -1, 1).repeat(3, axis=3)


def noise(frames=3, height=9, width=12):
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "strength", "before", "after"),
    [
        ("identity", 1.0, (0, 99, 255), (0, 99, 255)),
        ("posterise", 1.0, (0b10110111, 0b00001111, 255), (0b10110000, 0, 0b11110000)),
        ("posterise", -0.5, (0b10110111, 3, 255), (0b10110100, 0, 0b11111100)),
        ("posterise", 0.0, (183, 1, 255), (183, 1, 255)),
        ("solarise", 0.5, (0, 127, 128, 200, 255), (0, 127, 127, 55, 0)),
        ("solarise", 1.0, (0, 100, 255), (255, 155, 0)),
        ("solarise", 0.0, (0, 100, 255), (0, 100, 255)),
        ("brightness", 1.0, (0, 100, 200), (0, 190, 255)),
        ("brightness", -1.0, (0, 100, 200), (0, 10, 20)),
        ("contrast", 1.0, (50, 150), (5, 195)),
        ("contrast", -1.0, (50, 150), (95, 105)),
        ("auto_contrast", 0.3, (50, 110, 200), (0, 102, 255)),
        ("auto_contrast", 0.3, (70, 70), (70, 70)),
        ("colour", 1.0, (10, 200), (10, 200)),
    ],
)
def test_single_values(name, strength, before, after):
    assert OPERATIONS[name](grey(*before), strength).tolist() == grey(*after).tolist()


def test_colour_goes_to_the_luma_of_a_pixel_and_away_from_it():
    """(200, 100, 50) has a luma of 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2."""
    pixel = np.array([200, 100, 50], np.uint8).reshape(1, 1, 1, 3)
    assert OPERATIONS["colour"](pixel, -1.0).ravel().tolist() == [132, 122, 117]
    assert OPERATIONS["colour"](pixel, 1.0).ravel().tolist() == [255, 78, 0]


def test_sharpness_is_the_distance_to_the_smooth_frame():
    """A pixel of 130 among zeros is 5/13 of itself, 50, when it is smoothed; a frame's edge stays."""
    pixels = np.zeros((2, 3, 3, 3), np.uint8)
    pixels[:, 1, 1] = 130
    for strength, expected in ((1.0, 50 + 1.9 * 80), (-1.0, 50 + 0.1 * 80)):
        sharpened = OPERATIONS["sharpness"](pixels, strength)
        assert (sharpened[:, 1, 1] == expected).all()
        assert sharpened.sum() == 2 * 3 * expected
    tiny = noise(1, 2, 5)
    assert np.array_equal(OPERATIONS["sharpness"](tiny, 1.0), tiny)


def test_equalising_makes_three_values_of_one_frequency_equally_far_apart():
    """255 pixels of each of three values: Pillow's steps are of two pixels, so 1 // 2, 256 // 2, 511 // 2."""
    pixels = np.repeat(np.array([10, 20, 30], np.uint8), 255).reshape(3, 15, 17, 1).repeat(3, axis=3)
    equal = OPERATIONS["equalise"](pixels, 1.0)
    assert [np.unique(frame).tolist() for frame in equal] == [[0], [128], [255]]
    few = noise(1, 2, 2)
    assert np.array_equal(OPERATIONS["equalise"](few, 1.0), few)


def test_translations_shift_by_a_share_of_the_side():
    wide, high = noise(2, 1, 331), noise(2, 331, 1)
    right = OPERATIONS["translate_x"](wide, 1.0)
    assert np.array_equal(right[:, :, 150:], wide[:, :, :-150])
    assert (right[:, :, :150] == FILL).all()
    assert np.array_equal(OPERATIONS["translate_x"](wide, -1.0)[:, :, :-150], wide[:, :, 150:])
    down = OPERATIONS["translate_y"](high, 1.0)
    assert np.array_equal(down[:, 150:], high[:, :-150])


def test_shears_move_rows_and_columns_by_their_distance_from_the_middle():
    square = noise(2, 21, 21)
    sheared = OPERATIONS["shear_x"](square, 1.0)
    assert np.array_equal(sheared[:, 10], square[:, 10])
    assert np.array_equal(sheared[:, 20, :-3], square[:, 20, 3:])
    assert (sheared[:, 20, -3:] == FILL).all()
    assert np.array_equal(sheared[:, 0, 3:], square[:, 0, :-3])
    assert np.array_equal(OPERATIONS["shear_y"](square, 1.0), sheared_columns(square))


def sheared_columns(square):
    return OPERATIONS["shear_x"](square.transpose(0, 2, 1, 3), 1.0).transpose(0, 2, 1, 3)


def test_a_rotation_turns_anticlockwise_by_thirty_degrees():
    """20 pixels right of the middle goes to (20 cos 30, 20 sin 30) = (17.3, 10): to the right and up."""
    pixels = np.zeros((1, 61, 61, 3), np.uint8)
    pixels[0, 30, 50] = 255
    turned = OPERATIONS["rotate"](pixels, 1.0)
    assert (turned[0, 30 - 10, 30 + 17] == 255).all()
    assert (turned[0, 0, 0] == FILL).all()
    assert (OPERATIONS["rotate"](pixels, -1.0)[0, 30 + 10, 30 + 17] == 255).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_the_same_in_all_frames(name):
    clip = noise()
    before = clip.copy()
    changed = OPERATIONS[name](clip, 0.7)
    assert (changed.shape, changed.dtype) == (clip.shape, np.uint8)
    assert np.array_equal(clip, before)
    if name in BY_CLIP:
        still = OPERATIONS[name](clip[:1].repeat(3, axis=0), 0.7)
        assert (still == still[:1]).all()
    else:
        alone = [OPERATIONS[name](frame[None], 0.7) for frame in clip]
        assert np.array_equal(changed, np.concatenate(alone))


def test_contrast_is_that_of_the_whole_clip():
    """A dark and a light frame, each of one value: alone, neither has any contrast."""
    frames = np.stack([np.full((4, 4, 3), 50, np.uint8), np.full((4, 4, 3), 150, np.uint8)])
    stretched = OPERATIONS["auto_contrast"](frames, 1.0)
    assert (np.unique(stretched[0]).tolist(), np.unique(stretched[1]).tolist()) == ([0], [255])


def test_operations_are_drawn_evenly_at_one_magnitude_and_to_both_sides():
    rng = np.random.default_rng(0)
    drawn = [operation for _ in range(700) for operation in draw_operations(2, 7.0, rng)]
    counts = Counter(operation.name for operation in drawn)
    assert set(counts) == set(OPERATIONS)
    assert all(60 < count < 140 for count in counts.values())
    assert {operation.strength for operation in drawn} == {0.7, -0.7}
    assert draw_operations(3, 7.0, np.random.default_rng(5)) == draw_operations(
        3, 7.0, np.random.default_rng(5)
    )


def test_moves_leave_what_is_in_the_middle():
    clip = noise(2, 9, 13)
    for name in MOVING:
        assert np.array_equal(OPERATIONS[name](clip, 0.0), clip)
