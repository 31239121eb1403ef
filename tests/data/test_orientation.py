"""Pictures that were taken with a turned or mirrored camera, or have pixels that are not square."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.data.videos import BLUE, GREEN, RED
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.inspection import look_at

WIDTH, HEIGHT = 64, 32
WHITE = (255, 255, 255)


def quarters():
    """Another colour in each quarter: red and green above blue and white."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2], pixels[: HEIGHT // 2, WIDTH // 2 :] = RED, GREEN
    pixels[HEIGHT // 2 :, : WIDTH // 2], pixels[HEIGHT // 2 :, WIDTH // 2 :] = BLUE, WHITE
    return pixels


def write_turned(path, degrees=0.0, hflip=False, vflip=False, pixel_ratio=None):
    """As a camera writes it: the pictures as they were stored, and what is to be done with them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.options = {"preset": "ultrafast", "crf": "5"}
        if pixel_ratio is not None:
            stream.codec_context.sample_aspect_ratio = pixel_ratio
        stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters())))
        container.mux(stream.encode())
    return path


def assert_same_picture(frame, expected):
    assert frame.shape == expected.shape
    rows, columns = (np.array([side // 4, 3 * side // 4]) for side in frame.shape[:2])
    difference = frame[rows][:, columns].astype(int) - expected[rows][:, columns]
    assert np.abs(difference).max() < 40


@pytest.mark.parametrize("extension", [".mp4", ".mov"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_all_eight_ways_to_hold_a_camera(tmp_path, extension, turns, mirrored):
    """Turned counter-clockwise by so many quarters, then mirrored from left to right."""
    path = write_turned(tmp_path / f"a{extension}", 90 * turns, hflip=mirrored)
    expected = np.rot90(quarters(), turns)
    expected = expected[:, ::-1] if mirrored else expected
    assert_same_picture(decode_clip(path, 32)[1], expected)
    facts = look_at(path)
    assert (facts.height, facts.width) == expected.shape[:2]


def test_upside_down_in_a_mirror(tmp_path):
    path = write_turned(tmp_path / "a.mp4", vflip=True)
    assert_same_picture(decode_clip(path, 32)[1], quarters()[::-1])


@pytest.mark.parametrize("degrees", [-3, -1, 1, 2, 30])
def test_a_camera_held_a_little_aslant_is_not_turned(tmp_path, degrees):
    path = write_turned(tmp_path / "a.mp4", degrees)
    assert_same_picture(decode_clip(path, 32)[1], quarters())
    assert (look_at(path).width, look_at(path).height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("degrees", [89, 91])
def test_nearly_a_quarter_turn_is_one(tmp_path, degrees):
    path = write_turned(tmp_path / "a.mp4", degrees)
    assert_same_picture(decode_clip(path, 32)[1], np.rot90(quarters()))


@pytest.mark.parametrize(
    ("ratio", "size", "small"),
    [
        (Fraction(3, 2), (96, 32), (32, 16)),
        (Fraction(1, 2), (32, 32), (16, 16)),
        (Fraction(1), (64, 32), (32, 16)),
    ],
)
def test_pixels_that_are_not_square_are_seen_as_they_were_taken(tmp_path, ratio, size, small):
    path = write_turned(tmp_path / "a.mp4", pixel_ratio=ratio)
    assert (look_at(path).width, look_at(path).height) == size
    frame = decode_clip(path, 16)[1]
    assert frame.shape[1::-1] == small
    corners = frame[[2, -3]][:, [2, -3]].astype(int)
    expected = np.array([[RED, GREEN], [BLUE, WHITE]])
    assert np.abs(corners - expected).max() < 60


def test_pixels_that_are_not_square_in_a_turned_picture(tmp_path):
    path = write_turned(tmp_path / "a.mp4", 90, pixel_ratio=Fraction(3, 4))
    assert (look_at(path).width, look_at(path).height) == (32, 48)
    frame = decode_clip(path, 16)[1]
    assert frame.shape[:2] == (24, 16)
    assert_same_picture(
        frame, np.repeat(np.repeat(np.array([[GREEN, WHITE], [RED, BLUE]], np.uint8), 12, 0), 8, 1)
    )
