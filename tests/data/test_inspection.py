from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

import pytest

from tests.data import layouts
from tests.data.videos import write_live_webm, write_picture, write_sound, write_video
from tvnsearch.cores import usable_threads
from tvnsearch.data import inspection
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.inspection import inspect_dataset, look_at
from tvnsearch.data.video import BrokenClip


@pytest.fixture
def root(tmp_path):
    """Two classes: one of twelve mp4 of a second, one of six webm of three seconds and larger."""
    small = write_video(tmp_path / "small.mp4", frames=12)
    large = write_video(tmp_path / "large.webm", frames=36, width=96, height=64)
    for number in range(12):
        for folder, source in (("on", small), ("off", large))[: 1 + (number % 2)]:
            (tmp_path / "clips" / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, tmp_path / "clips" / folder / f"{number}{source.suffix}")
    return tmp_path / "clips"


def test_it_tells_what_there_is(root):
    dataset = open_dataset(root)
    seen = []
    found = inspect_dataset(dataset, lambda done, files: seen.append((done, files)))
    assert seen[-1] == (18, 18)
    assert found.clips == found.usable == {split: len(clips) for split, clips in dataset.splits.items()}
    assert sum(found.clips.values()) == 18
    assert found.codecs == {"h264": 12, "vp9": 6}
    assert found.resolutions == {"64x48": 12, "96x64": 6}
    assert found.frame_rates == {"12": 18}
    assert (found.frames_per_clip.least, found.frames_per_clip.median, found.frames_per_clip.most) == (
        12,
        12,
        36,
    )
    assert found.seconds_per_clip.most == 3
    assert [sum(found.balance[name].values()) for name in ("off", "on")] == [6, 12]
    for split, clips in dataset.splits.items():
        folders = [clip.path.parent.name for clip in clips]
        assert found.balance["off"][split] == folders.count("off")
        assert found.balance["on"][split] == folders.count("on")
    assert (found.broken, found.thinned) == ({}, 0)


def test_what_it_calls_broken_is_what_a_training_leaves_out(root, tmp_path):
    files = sorted((root / "on").iterdir())
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:900])
    write_sound(files[2])
    files[3].write_text("no video")
    write_picture(tmp_path / "picture.jpg").rename(files[4])
    (root / "off" / "cut.avi").write_bytes(write_video(tmp_path / "c.avi", frames=60).read_bytes()[:-12000])
    dataset = open_dataset(root)
    found = inspect_dataset(dataset)
    prepared = ClipCache(dataset, 16, tmp_path / "cache").prepare()
    assert found.broken == {str(failure.path): failure.reason for failure in prepared.broken}
    assert len(found.broken) == 6
    assert sum(found.usable.values()) == sum(found.clips.values()) - 6


def test_parts_of_a_file_are_clips_of_their_own(tmp_path):
    layouts.mlb_continuous(tmp_path, {".mp4": write_video(tmp_path / "x.mp4", frames=24).read_bytes()})
    listed = tmp_path / "mlb-youtube-continuous.json"
    listed.write_text(listed.read_text().replace("[1.2, 1.8]", "[50, 51]", 1))
    found = inspect_dataset(open_dataset(tmp_path))
    assert found.clips["test"] == 3
    assert (found.usable["test"], found.codecs) == (2, {"h264": 13})
    assert found.frames_per_clip.most <= 10
    assert [(Path(path).name, reason) for path, reason in found.broken.items()] == [
        ("GAME1.mp4", "no frame of it between 50 s and 51 s can be decoded")
    ]


def test_a_webm_without_duration_or_count_is_counted(tmp_path):
    facts = look_at(write_live_webm(tmp_path / "live.webm", frames=30))
    assert (facts.codec, facts.frames, facts.announced_s) == ("vp9", 30, None)
    assert facts.seconds == pytest.approx(30 / 12, abs=0.05)
    assert facts.frame_rate == pytest.approx(12, rel=0.01)


def test_fast_clips_are_counted(tmp_path):
    for number in range(8):
        path = tmp_path / "clips" / ("a", "b")[number % 2] / f"{number}.mp4"
        write_video(path, rate=60 if number < 3 else 30)
    assert inspect_dataset(open_dataset(tmp_path / "clips")).thinned == 3


def test_no_frame_that_decodes_is_broken(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    content = bytearray(path.read_bytes())
    begin, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[begin:end] = bytes(end - begin)
    path.write_bytes(content)
    for reader in (look_at, partial(decode_clip, resolution=16)):
        with pytest.raises(BrokenClip, match="no frame of it can be decoded"):
            reader(path)


def test_it_takes_no_more_threads_than_the_process_has_cores(root, monkeypatch):
    """Those of its container and its affinity, not of the machine."""
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    looking, most = set(), 0

    def noted(path):
        nonlocal most
        looking.add(path)
        most = max(most, len(looking))
        time.sleep(0.01)
        try:
            return look(path)
        finally:
            looking.discard(path)

    look = inspection._look
    monkeypatch.setattr(inspection, "_look", noted)
    for cores in (1, 3):
        monkeypatch.setattr("tvnsearch.cores.usable_cores", lambda cores=cores: list(range(cores)))
        most = 0
        inspect_dataset(open_dataset(root))
        assert most == min(cores, usable_threads())


@pytest.mark.parametrize(("suffix", "share"), [(".mp4", 0.3), (".mp4", 0.9), (".webm", 0.02), (".mkv", 0.02)])
def test_what_is_left_of_a_file_is_called_cut_off(tmp_path, suffix, share):
    path = write_video(tmp_path / f"a{suffix}", frames=24)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BrokenClip, match="it is cut off"):
        look_at(path)
