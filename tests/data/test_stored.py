"""Decoded videos as files, raw, as JPEG and as H.264; clips that are parts of them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.videos import picture, write_picture, write_video
from tvnsearch.data.decode import Frame, decode_clip
from tvnsearch.data.preparation import decode_all
from tvnsearch.data.stored import Crop, StoredVideo, VideoWriter, open_stored
from tvnsearch.data.video import BrokenClip


def decoded(path):
    """The stored video of a file."""
    target = path.parent / f"{path.name}.clip"
    done = decode_all([path], 16, path.parent, lambda _: target, lambda *_: None)
    assert not done.broken
    return StoredVideo(target)


def part(path, start_s=0.0, end_s=None):
    frames = decoded(path).part(path, start_s, end_s)
    return frames.take(range(len(frames)))


def stored(path, pixels, form):
    with path.open("wb") as file:
        writer = VideoWriter(file, form)
        for number, frame in enumerate(pixels):
            writer.add(Frame(number / 12, frame))
        writer.finish(len(pixels) / 12, len(pixels) / 12)
    return path


@pytest.fixture
def pixels():
    """Six frames of a smooth picture, each lighter than the one before."""
    row, column = np.mgrid[:24, :40]
    base = np.stack([4 * row, 2 * column, row + column], -1)
    return np.stack([base + 20 * number for number in range(6)]).astype(np.uint8)


@pytest.mark.parametrize(("form", "most"), [("raw", 0), ("jpeg", 6), ("h264", 9)])
def test_frames_come_back_in_any_order_and_cropped(tmp_path, pixels, form, most):
    path = stored(tmp_path / "a.clip", pixels, form)
    frames = StoredVideo(path).part(path, 0.0, None)
    assert (len(frames), frames.height, frames.width) == (6, 24, 40)
    taken = frames.take([3, 0, 5, 5], Crop(3, 7, 16, 20)).astype(int)
    assert taken.shape == (4, 16, 20, 3)
    difference = taken - pixels[[3, 0, 5, 5], 3:19, 7:27]
    assert np.abs(difference).max() <= most
    assert np.abs(difference.mean((0, 1, 2))).max() < 3  # no shift of colours


@pytest.mark.parametrize("form", ["raw", "jpeg", "h264"])
def test_a_file_that_was_cut_off_is_none_of_ours(tmp_path, pixels, form):
    content = stored(tmp_path / "a.clip", pixels, form).read_bytes()
    assert open_stored(tmp_path / "a.clip") is not None
    for length in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / "a.clip").write_bytes(content[:length])
        assert open_stored(tmp_path / "a.clip") is None
    (tmp_path / "a.clip").write_bytes(content[5:])
    assert open_stored(tmp_path / "a.clip") is None


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".webm", ".avi"])
def test_a_part_is_exactly_the_frames_of_its_time(tmp_path, extension):
    """Also where frames are stored in another order than they are shown."""
    shades = [picture(64, 48, 40 + 3 * number) for number in range(60)]
    path = write_video(tmp_path / f"clip{extension}", pictures=shades, key_frame_every=12)
    whole, video = decode_clip(path, 16), decoded(path)
    for first, last in [(0, 5), (7, 8), (13, 31), (26, 60), (47, 59)]:
        frames = video.part(path, first / 12, last / 12)
        assert np.array_equal(frames.take(range(len(frames))), whole[first:last])


def test_a_part_of_a_folder_of_frames(tmp_path):
    folder = tmp_path / "50 %d"
    folder.mkdir()
    for number in range(1, 31):
        write_picture(folder / f"{folder.name}-{number:06}.jpg")
    assert len(part(folder, 0.5, 1)) == 12


def test_a_part_without_an_end_lasts_to_the_end_of_the_file(tmp_path):
    assert len(part(write_video(tmp_path / "clip.mp4", frames=36), 2.0)) == 12


def test_parts_of_a_fast_video_are_cut_at_the_same_times(tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames=120, rate=60)
    assert len(part(path, 0.5, 1.5)) == 30


def test_a_part_behind_the_end_is_broken(tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames=12)
    with pytest.raises(BrokenClip, match="between 5 s and 7 s"):
        part(path, 5, 7)


def test_a_part_beyond_a_cut_is_broken_and_one_before_it_is_not(tmp_path):
    path = write_video(tmp_path / "clip.mkv", frames=120, key_frame_every=12)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert len(part(path, 1, 2)) == 12
    with pytest.raises(BrokenClip, match="between 9 s and 10 s"):
        part(path, 9, 10)
    with pytest.raises(BrokenClip, match="truncated"):
        part(path)


def test_a_long_video_is_stored_whole(tmp_path):
    assert len(part(write_video(tmp_path / "clip.mp4", frames=700))) == 700
