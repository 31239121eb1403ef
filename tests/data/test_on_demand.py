"""Frames that are decoded when they are read, held against those that are stored."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.videos import picture, turn_sideways, write_live_webm, write_picture, write_video
from tvnsearch.data.preparation import decode_all
from tvnsearch.data.stored import Crop, StoredVideo
from tvnsearch.data.video import BrokenClip

FRAMES = 60


def prepared(path, **reads):
    target = path.parent / f"{path.name}.{len(reads)}.clip"
    done = decode_all([path], 16, path.parent, lambda _: target, lambda *_: None, **reads)
    assert not done.broken
    return StoredVideo(target)


def both(path, start_s=0.0, end_s=None):
    """A clip as it is read from its file, and as it is stored."""
    on_demand, raw = prepared(path, reads=1), prepared(path)
    assert (on_demand.form, raw.form) == ("source", "raw")
    assert on_demand.size_bytes < 24 * len(on_demand.timeline.times_s) + 100
    assert np.allclose(on_demand.timeline.times_s, raw.timeline.times_s, atol=1e-9)
    return on_demand.part(path, start_s, end_s), raw.part(path, start_s, end_s)


def check_same(on_demand, raw):
    assert (len(on_demand), on_demand.height, on_demand.width) == (len(raw), raw.height, raw.width)
    last = len(raw) - 1
    middle = last // 2
    for indices in ([0], [last], [middle, middle + 1], [last, 0, middle, middle], range(last + 1)):
        assert np.array_equal(on_demand.take(indices), raw.take(indices))
    crop = Crop(3, 2, 9, 11)
    assert np.array_equal(on_demand.take([middle], crop), raw.take([middle], crop))


def changing(path, **kind):
    shades = [picture(64, 48, 40 + 3 * number) for number in range(FRAMES)]
    return write_video(path, pictures=shades, **kind)


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts"])
@pytest.mark.parametrize("key_frame_every", [12, None])
def test_frames_are_those_that_would_be_stored(tmp_path, extension, key_frame_every):
    """Also where frames are stored in another order than they are shown."""
    check_same(*both(changing(tmp_path / f"clip{extension}", key_frame_every=key_frame_every)))


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_a_part_is_the_same_part(tmp_path, extension):
    path = changing(tmp_path / f"clip{extension}", key_frame_every=12)
    check_same(*both(path, 1.25, 3.5))


def test_fast_turned_and_live_videos_and_folders_of_pictures(tmp_path):
    check_same(*both(changing(tmp_path / "fast.mp4", rate=60, key_frame_every=7)))
    check_same(*both(turn_sideways(changing(tmp_path / "turned.mp4", key_frame_every=12))))
    check_same(*both(write_live_webm(tmp_path / "live.webm", frames=30)))
    folder = tmp_path / "50 %d"
    folder.mkdir()
    for number in range(1, 31):
        write_picture(folder / f"{folder.name}-{number:06}.jpg")
    check_same(*both(folder))


def test_what_is_not_wanted_is_not_decoded(tmp_path):
    """Damage in front of the key frame before a window does not matter to it."""
    path = changing(tmp_path / "clip.mp4", key_frame_every=12)
    on_demand, raw = both(path)
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    quarter = (content.index(b"moov") - begin) // 4
    content[begin : begin + quarter] = bytes(quarter)
    path.write_bytes(content)
    assert np.array_equal(on_demand.take(range(30, FRAMES)), raw.take(range(30, FRAMES)))
    assert not np.array_equal(on_demand.take([5]), raw.take([5]))


def test_damaged_frames_are_made_up_for_by_their_neighbours(tmp_path):
    path = changing(tmp_path / "clip.avi", key_frame_every=12)
    on_demand, _ = both(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    taken = on_demand.take(range(FRAMES))
    assert taken.shape[0] == FRAMES
    assert np.array_equal(taken[-1], taken[-2])
    assert not np.array_equal(taken[0], taken[20])


def test_a_file_that_has_gone_is_named(tmp_path):
    path = changing(tmp_path / "clip.mp4")
    on_demand, _ = both(path)
    path.unlink()
    with pytest.raises(BrokenClip, match=r"clip.mp4: no such file"):
        on_demand.take([0])


def test_what_is_no_video_is_told_before_it_is_read(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video")
    done = decode_all([path], 16, tmp_path, lambda _: tmp_path / "a.clip", lambda *_: None, reads=1)
    assert list(done.broken) == [path]
