"""Short runs of H.264, held against the frames that they were made of and against FFmpeg's own reading."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tvnsearch.data.decode import Frame
from tvnsearch.data.h264 import RUN
from tvnsearch.data.stored import StoredVideo, VideoWriter

FRAMES = 21  # two runs and a part of one


def moving_texture(height, width):
    """A grey texture that drifts over a coloured gradient, as uint8 (frames, height, width, 3)."""
    coarse = np.random.default_rng(0).normal(size=(2 + height // 4, 2 + width // 4, 1))
    texture = np.kron(coarse, np.ones((4, 4, 1)))[:height, :width] * 20
    gradient = np.linspace((60, 80, 100), (180, 160, 140), width)[None]
    frames = [np.roll(texture, (number, 2 * number), (0, 1)) + gradient for number in range(FRAMES)]
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


def stored(path, pixels):
    with path.open("wb") as file:
        writer = VideoWriter(file, "h264")
        for number, frame in enumerate(pixels):
            writer.add(Frame(number / 30, frame))
        writer.finish(len(pixels) / 30, None)
    return StoredVideo(path)


def psnr_db(one, other):
    squared = (one.astype(float) - other) ** 2
    return 10 * np.log10(255**2 / squared.mean())


@pytest.mark.parametrize(("height", "width"), [(48, 64), (37, 51), (16, 33)])
def test_any_frame_at_any_time_is_that_frame(tmp_path, height, width):
    pixels = moving_texture(height, width)
    frames = stored(tmp_path / "a.clip", pixels).part(tmp_path, 0.0, None)
    whole = frames.take(range(FRAMES))
    assert whole.shape == pixels.shape
    for number in np.random.default_rng(1).permutation(FRAMES):
        (frame,) = frames.take([number])
        assert np.array_equal(frame, whole[number])
        distances = [psnr_db(frame, other) for other in pixels]
        assert int(np.argmax(distances)) == number
        assert distances[number] > 34
    assert np.array_equal(frames.take([20, 3, 3, 9]), whole[[20, 3, 3, 9]])


def test_colours_keep_their_place_in_the_whole_range(tmp_path):
    """Broad patches, which lose nothing by the coarser colours of H.264."""
    colours = np.array(
        [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (16, 16, 16), (235, 200, 30)]
    )
    picture = np.kron(colours[None], np.ones((32, 32, 1))).astype(np.uint8).reshape(32, -1, 3)
    frames = stored(tmp_path / "a.clip", [picture] * 3).part(tmp_path, 0.0, None)
    for seen in frames.take(range(3)).astype(int):
        for place, colour in enumerate(colours):
            patch = seen[8:24, 32 * place + 8 : 32 * place + 24]
            assert np.abs(patch - colour).max() <= 4


def test_frames_are_a_stream_that_any_decoder_reads_with_key_frames_at_their_places(tmp_path):
    video = stored(tmp_path / "a.clip", moving_texture(48, 64))
    (tmp_path / "a.h264").write_bytes((tmp_path / "a.clip").read_bytes())
    with av.open(str(tmp_path / "a.h264"), format="h264") as container:
        decoded = list(container.decode(video=0))[:FRAMES]
    assert [number for number, frame in enumerate(decoded) if frame.key_frame] == list(range(0, FRAMES, RUN))
    read = video.part(tmp_path, 0.0, None).take(range(FRAMES))
    assert np.array_equal(read, np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]))


def test_a_single_frame_is_a_video(tmp_path):
    pixels = moving_texture(48, 64)[:1]
    assert psnr_db(stored(tmp_path / "a.clip", pixels).part(tmp_path, 0.0, None).take([0]), pixels) > 34


def test_still_frames_take_little_room(tmp_path):
    pixels = np.repeat(moving_texture(96, 128)[:1], 16, 0)
    assert stored(tmp_path / "a.clip", pixels).size_bytes < 0.05 * pixels.size
