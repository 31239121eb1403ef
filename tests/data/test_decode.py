from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.data.numbered import numbers_in, write_numbered
from tests.data.videos import (
    picture,
    turn_sideways,
    write_live_webm,
    write_picture,
    write_sound,
    write_video,
)
from tvnsearch.data.decode import decode_clip, read_frames, thinned
from tvnsearch.data.video import BrokenClip, Shown, open_video


def assert_red_above_blue(frame):
    side = len(frame)
    left = (frame.shape[1] - side) // 2
    frame = frame[:, left + 3 : left + side]  # right of the green bar and of its blur
    assert np.abs(frame[: side // 2 - 4].astype(int) - (252, 0, 0)).max() < 30
    assert np.abs(frame[side // 2 + 4 :].astype(int) - (0, 0, 252)).max() < 30


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_every_container_gives_all_frames_in_their_proportions(tmp_path, extension):
    frames = decode_clip(write_video(tmp_path / f"clip{extension}"), 32)
    assert frames.shape == (12, 32, 43, 3)
    assert frames.dtype == np.uint8
    assert_red_above_blue(frames[6])
    assert frames[6, :, :4].argmax(-1).min() == frames[6, :, :4].argmax(-1).max() == 1  # the green bar


@pytest.mark.parametrize(
    "name", ["two words.mp4", "grüße 視頻.mp4", "a;b&[c]#!@.mp4", "http:x.mp4", "%03d.mp4", "-i.mp4"]
)
def test_odd_names(tmp_path, video_bytes, name):
    (tmp_path / name).write_bytes(video_bytes)
    assert len(decode_clip(tmp_path / name, 16)) == 12


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [(48, 64, (40, 53)), (16, 16, (16, 16)), (64, 64, (40, 40)), (130, 66, (79, 40)), (160, 40, (80, 40))],
)
def test_the_short_side_is_shrunk_and_what_is_too_wide_is_cut(tmp_path, width, height, small):
    frames = decode_clip(write_video(tmp_path / "clip.mp4", width=width, height=height), 40)
    assert frames.shape[1:3] == small[::-1]
    middle = frames[0][:, frames.shape[2] // 4 : -frames.shape[2] // 4]
    assert_red_above_blue(middle if width >= height else frames[0][(small[1] - small[0]) // 2 :][: small[0]])


@pytest.mark.parametrize("rate", [15, 24, 25, 30, 35])
def test_slower_videos_are_kept_whole(tmp_path, rate):
    path = write_numbered(tmp_path / "clip.mp4", range(40), Fraction(1, rate))
    assert numbers_in(decode_clip(path, 32)) == list(range(40))


@pytest.mark.parametrize("extension", [".mp4", ".webm"])
@pytest.mark.parametrize("rate", [44, 45, 48, 50, 60, 120])
def test_of_fast_videos_the_nearest_frame_to_each_tick_is_kept(tmp_path, extension, rate):
    stamps_ms = [round(1000 * number / rate) for number in range(90)]
    path = write_numbered(tmp_path / f"clip{extension}", stamps_ms)
    times_s = np.array(stamps_ms) / 1000
    ticks_s = np.arange(round(times_s[-1] * 30) + 1) / 30
    off_s = np.abs(times_s[:, None] - ticks_s)
    with open_video(path) as video:
        frames = list(read_frames(video, 32))
    kept = numbers_in(np.stack([frame.pixels for frame in frames]))
    assert len(kept) == len(ticks_s)
    assert off_s[kept, range(len(kept))] == pytest.approx(off_s.min(axis=0), abs=1e-6)
    assert [frame.time_s for frame in frames] == pytest.approx(times_s[kept], abs=1e-6)


def test_a_live_recording_of_uneven_speed_without_a_rate_is_thinned_as_well(tmp_path):
    """Sixty frames a second that a browser has recorded, give or take four milliseconds."""
    jitter_ms = np.random.default_rng(0).uniform(-4, 4, 120)
    stamps_ms = np.rint(np.arange(120) * 1000 / 60 + jitter_ms).clip(0).astype(int).tolist()
    path = write_numbered(tmp_path / "clip.webm", stamps_ms, container_options={"live": "1"})
    with open_video(path) as video:
        frames = list(read_frames(video, 32))
    times_s = [frame.time_s for frame in frames]
    assert 58 <= len(frames) <= 62
    assert np.abs(np.array(times_s) * 30 - np.rint(np.array(times_s) * 30)).max() < 0.26
    begin_s = stamps_ms[0] / 1000
    assert times_s == pytest.approx(
        [stamps_ms[number] / 1000 - begin_s for number in numbers_in(np.stack([f.pixels for f in frames]))],
        abs=1e-6,
    )


def test_no_frame_of_thirty_a_second_is_left_out_however_uneven(tmp_path):
    """Also where they lie between the ticks."""
    jitter_ms = np.random.default_rng(0).uniform(-3, 3, 60)
    stamps_ms = [0, *np.rint(17 + np.arange(1, 61) * 1000 / 30 + jitter_ms).astype(int).tolist()]
    path = write_numbered(tmp_path / "clip.mp4", stamps_ms)
    assert numbers_in(decode_clip(path, 32)) == list(range(61))


def test_a_live_source_waits_for_no_frame_that_may_be_late():
    """Only frames that come too close together are held back until the next."""
    given = []

    def coming():
        for number in range(5):
            yield Shown(number / 30, 0.0, number)
            given.append(number)

    for shown in thinned(coming()):
        assert len(given) == shown.frame


def test_frames_come_in_order(tmp_path):
    shades = list(range(40, 250, 15))
    path = write_video(tmp_path / "clip.mp4", pictures=[picture(64, 48, shade) for shade in shades])
    seen = decode_clip(path, 16)[:, 2, 10, 0].astype(int)
    assert len(seen) == len(shades)
    assert (np.diff(seen) > 0).all()


def test_a_turned_camera_is_turned_back(tmp_path):
    path = turn_sideways(write_video(tmp_path / "clip.mp4", width=64, height=48))
    upright = decode_clip(path, 33)[0]
    assert upright.shape == (44, 33, 3)
    assert upright[30, 28].argmax() == 0  # the red half, above before, is at the right after a turn clockwise
    assert upright[30, 3].argmax() == 2


def test_sound_beside_the_picture_does_not_matter(tmp_path):
    assert len(decode_clip(write_video(tmp_path / "clip.mp4", sound=True), 16)) == 12


def test_a_webm_without_duration_or_count(tmp_path):
    assert len(decode_clip(write_live_webm(tmp_path / "live.webm", frames=20), 16)) == 20


def test_a_video_with_the_extension_of_another_container_is_used(tmp_path):
    path = write_video(tmp_path / "clip.webm").rename(tmp_path / "clip.mp4")
    assert len(decode_clip(path, 16)) == 12


def test_frames_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4")
    monkeypatch.setattr("tvnsearch.data.video.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(BrokenClip, match="too large: 64 x 48 pixels"):
        decode_clip(path, 16)


def test_a_folder_of_frames(tmp_path):
    folder = tmp_path / "50 %d"
    folder.mkdir()
    for number in range(1, 31):
        write_picture(folder / f"{folder.name}-{number:06}.jpg")
    assert_red_above_blue(decode_clip(folder, 32)[0])
    assert len(decode_clip(folder, 16)) == 30


def broken_empty(path):
    path.touch()


def broken_text(path):
    path.write_text("not a video " * 100)


def broken_head(path):
    write_video(path)
    path.write_bytes(path.read_bytes()[:400])


def broken_sound_only(path):
    write_sound(path)


def broken_folder(path):
    path.mkdir()


def broken_pipe(path):
    os.mkfifo(path)


def broken_play_list(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n")


def broken_list_of_others(path):
    """What FFmpeg takes for a list of files to open one after the other."""
    write_video(path.parent / "private.mp4")
    path.write_text("ffconcat version 1.0\nfile private.mp4\n")


def broken_picture(path):
    write_picture(path.with_suffix(".jpg")).rename(path)


def broken_without_frames(path):
    """A whole mp4 into which nothing was written."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda path: None, "no such file"),
        (broken_empty, "empty"),
        (broken_text, "it is cut off, damaged, or no video"),
        (broken_head, "it is cut off, damaged, or no video"),
        (broken_sound_only, "no video stream"),
        (broken_folder, "no such file"),
        (broken_pipe, "no such file"),
        (broken_play_list, ": "),
        (broken_list_of_others, "no video, whatever its name says"),
        (broken_picture, "no video, whatever its name says"),
        (broken_without_frames, "no "),
    ],
)
def test_a_broken_file_is_named_with_the_reason(tmp_path, break_it, reason):
    path = tmp_path / "broken.mp4"
    break_it(path)
    with pytest.raises(BrokenClip, match=reason) as caught:
        decode_clip(path, 16)
    assert caught.value.path == path
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("extension", [".webm", ".mkv", ".avi", ".mp4"])
def test_a_file_cut_in_half_is_broken(tmp_path, extension, sound):
    path = write_video(tmp_path / f"clip{extension}", frames=60, sound=sound)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenClip):
        decode_clip(path, 16)
