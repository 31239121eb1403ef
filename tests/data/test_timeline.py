"""When frames are shown, and whether files and their parts are whole: for every reader alike."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.numbered import copied, number_picture, numbers_in, trimmed, write_numbered
from tests.data.videos import add_sound, write_live_webm, write_video
from tvnsearch.data.augmentation import Augmentation, random_view
from tvnsearch.data.clock import onward
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.inspection import inspect_dataset, look_at
from tvnsearch.data.preparation import decode_all
from tvnsearch.data.stored import StoredVideo
from tvnsearch.data.video import BrokenClip, open_video
from tvnsearch.data.views import Views, evaluation_views
from tvnsearch.genome.genome import square_input

RATE = 30


def at_rate(frames, rate):
    """Milliseconds at which so many frames are shown."""
    return [round(1000 * number / rate) for number in range(frames)]


def prepared(path):
    target = path.with_name(f"{path.name}.clip")
    decode_all([path], 32, path.parent, lambda _: target, lambda *_: None)
    return StoredVideo(target)


def inspected(path, start_s=0.0, end_s=None):
    """Frames of a clip by `inspect`, or what is wrong with it."""
    clip = Clip(path, (0,), start_s, end_s)
    dataset = Dataset(path.parent, "csv", ("a",), False, True, (clip,), (), ())
    found = inspect_dataset(dataset)
    return next(iter(found.broken.values())) if found.broken else int(found.frames_per_clip.most)


def seen(path, start_s=0.0, end_s=None):
    """Numbers of the frames of a clip and their times; what is said of it must not depend on who reads it."""
    frames = prepared(path).part(path, start_s, end_s)
    numbers = numbers_in(frames.take(range(len(frames))))
    assert inspected(path, start_s, end_s) == len(numbers)
    if start_s == 0 and end_s is None:
        assert numbers_in(decode_clip(path, 32)) == numbers
    return numbers, frames.times_s.tolist()


def broken(path, start_s=0.0, end_s=None):
    """Why a clip is refused, by all who read it."""
    reason = inspected(path, start_s, end_s)
    assert isinstance(reason, str)
    with pytest.raises(BrokenClip) as caught:
        prepared(path).part(path, start_s, end_s)
    if start_s == 0 and end_s is None:
        with pytest.raises(BrokenClip):
            decode_clip(path, 32)
    return caught.value.reason


def test_frames_before_an_edit_list_are_hidden(tmp_path):
    """A cut by stream copy keeps the key frame before it."""
    whole = write_numbered(tmp_path / "whole.mp4", at_rate(90, RATE), key_frame_every=90)
    path = copied(whole, tmp_path / "cut.mp4", cut_ms=2000)
    numbers, times_s = seen(path)
    assert numbers == list(range(60, 90))
    assert times_s == pytest.approx([n / RATE for n in range(30)], abs=2e-3)
    assert look_at(path).frames == 30


def test_frames_before_an_edit_list_are_hidden_in_a_fragmented_file(tmp_path):
    whole = write_numbered(tmp_path / "whole.mp4", at_rate(90, RATE), key_frame_every=90)
    options = {"movflags": "frag_keyframe+delay_moov"}
    path = copied(whole, tmp_path / "cut.mp4", cut_ms=2000, options=options)
    numbers, times_s = seen(path)
    assert numbers == list(range(60, 90))
    assert times_s[0] == 0


def test_a_tail_that_a_phone_trimmed_is_hidden(tmp_path):
    path = trimmed(write_numbered(tmp_path / "a.mp4", at_rate(90, RATE)), lasts_ms=1000)
    assert seen(path)[0] == list(range(30))


@pytest.mark.parametrize("rate", [960, 1])
def test_a_false_rate_in_matroska_makes_no_file_broken(tmp_path, rate):
    path = write_numbered(tmp_path / "a.mkv", at_rate(30, RATE), rate=rate)
    numbers, times_s = seen(path)
    assert numbers == list(range(30))
    assert times_s == pytest.approx([n / RATE for n in range(30)], abs=1e-3)
    assert look_at(path).frame_rate == pytest.approx(RATE, rel=0.01)


UNEVEN_MS = [0, 33, 66, 100, 500, 900, 1000, 1033, 1500, 2600, 2633, 2700, 4000, 4033, 4900]


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".webm"])
def test_a_variable_rate_is_whole_in_its_parts_as_well(tmp_path, extension):
    path = write_numbered(tmp_path / f"a{extension}", UNEVEN_MS)
    numbers, times_s = seen(path)
    assert numbers == list(range(len(UNEVEN_MS)))
    assert times_s == pytest.approx([ms / 1000 for ms in UNEVEN_MS], abs=2e-3)
    assert seen(path, 0.9, 2.65)[0] == [5, 6, 7, 8, 9, 10]
    # At 3 s the frame of 2.7 s is shown still, and it is the clip's from its beginning on.
    numbers, times_s = seen(path, 3.0, 4.02)
    assert numbers == [11, 12]
    assert times_s == pytest.approx([3.0, 4.0], abs=2e-3)
    assert seen(path, 3.1, 3.9)[0] == [11]


def test_empty_chunks_of_an_avi_are_time_that_passes(tmp_path):
    """Recorders leave out frames in which nothing changed."""
    slots = [slot for slot in range(90) if slot % 3 or slot < 6]
    path = write_numbered(tmp_path / "a.avi", slots, Fraction(1, RATE))
    numbers, times_s = seen(path)
    assert numbers == list(range(len(slots)))
    assert times_s == pytest.approx([slot / RATE for slot in slots])
    assert look_at(path).announced_s == pytest.approx(3.0)


def test_a_picture_that_stays_while_the_sound_goes_on_is_whole(tmp_path):
    """The duration of such a file is its sound's, where it has no statistics."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        add_sound(container)  # nearly half a second
        for number in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(number_picture(number))))
        container.mux(video.encode())
    assert seen(path)[0] == [0, 1, 2]


def write_for_cutting(path, sound):
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(
            {".avi": "mpeg4", ".webm": "libvpx-vp9"}.get(path.suffix, "libx264"), rate=12
        )
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 48, "yuv420p", 6
        if sound:
            add_sound(container)
        for _ in range(60):
            noise = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(noise)))
        container.mux(video.encode())
    return path


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("extension", [".mp4", ".avi", ".webm", ".mkv", ".ts", ".m2ts"])
def test_a_file_that_was_cut_anywhere_is_broken(tmp_path, extension, sound):
    path = write_for_cutting(tmp_path / f"a{extension}", sound)
    assert inspected(path) == 60
    assert len(decode_clip(path, 32)) == 60
    content = path.read_bytes()
    for share in (0.3, 0.5, 0.65):
        path.write_bytes(content[: int(share * len(content)) | 1])  # packets of a transport stream are even
        assert "truncated" in broken(path)


def test_a_part_before_the_cut_of_a_transport_stream_is_whole(tmp_path):
    path = write_for_cutting(tmp_path / "a.ts", sound=False)
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    assert inspected(path, 1.0, 2.0) == 12
    assert len(prepared(path).part(path, 1.0, 2.0)) == 12
    assert "breaks off" in broken(path, 2.0, None)


def test_pictures_lost_to_damage_in_the_middle_are_missed(tmp_path):
    """What inspection cannot see, as it decodes nothing."""
    path = write_video(tmp_path / "a.webm", frames=60, key_frame_every=60)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for pos, size in packets[10:50]:
        at = content.index(b"\xa3", max(0, pos - 1)) if pos is not None else 0
        content[at + 8 : at + 8 + min(4, size)] = bytes(min(4, size))
    path.write_bytes(content)
    with pytest.raises(BrokenClip, match="truncated: only"):
        decode_clip(path, 16)


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".webm", ".avi"])
def test_a_video_of_hardly_any_frames_is_whole(tmp_path, extension, frames):
    path = write_numbered(tmp_path / f"a{extension}", list(range(frames)), Fraction(1, RATE))
    assert seen(path)[0] == list(range(frames))


def test_a_transport_stream_whose_clock_begins_anew_goes_on(tmp_path):
    one = write_numbered(tmp_path / "one.ts", at_rate(30, RATE))
    other = write_numbered(tmp_path / "other.ts", at_rate(30, RATE), numbers=range(100, 130))
    path = tmp_path / "both.ts"
    path.write_bytes(one.read_bytes() + other.read_bytes())
    numbers, times_s = seen(path)
    assert numbers == [*range(30), *range(100, 130)]
    assert times_s == pytest.approx([n / RATE for n in range(60)], abs=2e-3)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(1, 30), st.integers(-1000, -20)), max_size=4),
)
def test_a_clock_that_is_set_back_goes_on(steps, set_back):
    times = [0.0, *np.cumsum(steps).astype(float) / 10]
    shifted, shift = [], 0.0
    jumps = dict(set_back)
    for number, time_s in enumerate(times):
        shift += jumps.get(number, 0) if number else 0
        shifted.append((time_s + shift, number))
    gone_on = list(onward(shifted, step_s=0.1))
    assert [number for _, number in gone_on] == list(range(len(times)))
    steps_s = np.diff([time_s for time_s, _ in gone_on])
    for number, step_s in enumerate(steps_s, start=1):
        expected = np.diff(times)[number - 1]
        if number in jumps:
            expected = steps_s[number - 2] if number > 1 else 0.1
        assert step_s == pytest.approx(expected, abs=1e-9)


def test_frames_out_of_order_do_not_move_the_clock():
    said = [0.0, 0.1, 0.3, 0.2, 0.4, 0.5]
    gone_on = onward([(time_s, None) for time_s in said], 0.1)
    assert [time_s for time_s, _ in gone_on] == [0.0, 0.1, 0.3, 0.3, 0.4, 0.5]


def test_a_live_recording_announces_nothing(tmp_path):
    path = write_live_webm(tmp_path / "live.webm", frames=20)
    with open_video(path) as video:
        assert len(list(video.frames())) == 20
        assert video.announced_s is None
        assert video.end_s == pytest.approx(20 / 12, abs=0.05)


@pytest.mark.parametrize("rate", [12, 15, 25, 30, 44, 45, 50, 60])
@pytest.mark.parametrize("extension", [".mp4", ".webm"])
def test_views_of_any_rate_show_the_nearest_frames_to_the_same_times(tmp_path, extension, rate):
    """From the file to the network's input: in an evaluation and, at other speeds, in a training."""
    spec = square_input(32, 6, 5)
    source_s = np.array(at_rate(3 * rate, rate)) / 1000
    path = write_numbered(tmp_path / f"a{extension}", (1000 * source_s).round().astype(int).tolist())
    frames = prepared(path).part(path, 0.0, None)
    free = (3 - 1 / rate) - 25 / 30
    for number, view in enumerate(evaluation_views(frames, spec, Views(starts=5))):
        shown_s = source_s[numbers_in(frames.take(view.indices))]
        around = int(30 * free * number / 4)

        def are_nearest(start, shown_s=shown_s):
            wanted_s = start / 30 + np.arange(6) / 6
            off_s = np.abs(source_s[:, None] - wanted_s).min(axis=0)
            return (np.abs(shown_s - wanted_s) <= off_s + 1.5e-3).all()

        # At which of the ticks around it a view starts is a matter of rounding.
        assert any(are_nearest(start) for start in range(around - 1, around + 3))
    rng = np.random.default_rng(0)
    steps_s = []
    for _ in range(40):
        view = random_view(frames, spec, Augmentation(fastest=1.5), True, rng)
        shown_s = source_s[numbers_in(frames.take(view.indices))]
        step_s = (shown_s[-1] - shown_s[0]) / 5
        steps_s.append(step_s)
        assert np.abs(shown_s - shown_s[0] - step_s * np.arange(6)).max() <= 1 / min(rate, 30) + 2e-3
    assert 1 / 9 - 0.03 < min(steps_s) < 0.14
    assert 0.21 < max(steps_s) < 1 / 4 + 0.03


ODD_VIDEOS = Path(__file__).parents[3] / "shared" / "data" / "odd-videos"


@pytest.mark.slow
@pytest.mark.skipif(not ODD_VIDEOS.is_dir(), reason="the odd videos do not lie beside the checkout")
def test_odd_videos_give_the_frames_and_times_that_ffmpeg_gives():
    paths = [path for path in sorted(ODD_VIDEOS.iterdir()) if path.suffix != ".gif"]
    assert len(paths) > 30
    for path in paths:
        times_s = []
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                with suppress(av.error.InvalidDataError):
                    times_s += [frame.time for frame in packet.decode()]
        with open_video(path) as video:
            shown_s = [shown.time_s for shown in video.frames()]
        assert shown_s == pytest.approx([time_s - times_s[0] for time_s in times_s], abs=1e-6), path
        assert len(decode_clip(path, 64)) == len(times_s), path
        damaged = path.name == "decord__corrupted.mp4"
        assert look_at(path).frames == len(times_s) + damaged, path
