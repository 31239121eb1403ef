from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tests.data.videos import picture, write_video
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.stored import VideoWriter
from tvnsearch.data.video import BrokenClip
from tvnsearch.errors import UserError


@pytest.fixture
def clips_dir(tmp_path, video_bytes):
    """Five clips of each of two classes, with awkward names."""
    for name in ("a;b", "été"):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for number in range(5):
            (tmp_path / "clips" / name / f"{number} x.mp4").write_bytes(video_bytes)
    return tmp_path / "clips"


def pixels(cache, clip):
    frames = cache.frames(clip)
    return frames.take(range(len(frames)))


def write_different(folder, count, **kind):
    """Videos that differ in their content."""
    for number in range(count):
        shades = [picture(64, 48, 40 + number)] * 2
        write_video(folder / f"different {number}.mp4", pictures=shades, **kind)


def prepared(clips_dir, tmp_path, resolution=16):
    cache = ClipCache(open_dataset(clips_dir), resolution, tmp_path / "cache")
    return cache, cache.prepare()


def test_each_clip_is_decoded_once(clips_dir, tmp_path):
    write_different(clips_dir / "a;b", 10)
    cache = ClipCache(open_dataset(clips_dir), 16, tmp_path / "cache")
    seen = []
    first = cache.prepare(seen.append)
    assert first.broken == ()
    assert first.decoded + first.found == 20
    assert first.decoded >= 11
    assert first.forms == {"raw": 20}
    assert seen[-1] == (1.0, 20, 20, "raw")
    assert sorted(progress.share for progress in seen) == [progress.share for progress in seen]
    again = prepared(clips_dir, tmp_path)[1]
    assert (again.decoded, again.found, again.stored_bytes) == (0, 20, first.stored_bytes)
    clip = cache.dataset.train[0]
    assert np.array_equal(pixels(cache, clip), decode_clip(clip.path, 16))


def test_a_changed_clip_and_another_resolution_are_decoded_anew(clips_dir, tmp_path):
    prepared(clips_dir, tmp_path)
    changed = next(clips_dir.rglob("*.mp4"))
    write_video(changed, frames=20)
    cache, preparation = prepared(clips_dir, tmp_path)
    assert preparation.decoded == 1
    assert {len(cache.frames(clip)) for clip in cache.dataset.clips if clip.path == changed} == {20}
    assert prepared(clips_dir, tmp_path, 24)[1].decoded >= 2


def test_a_clip_that_moved_is_known_by_its_content(clips_dir, tmp_path):
    write_different(clips_dir / "a;b", 3)
    prepared(clips_dir, tmp_path)
    videos = {path: path.stat().st_ino for path in (tmp_path / "cache" / "videos").iterdir()}
    moved = clips_dir.rename(tmp_path / "elsewhere")
    cache, preparation = prepared(moved, tmp_path)
    assert (preparation.decoded, preparation.found) == (0, 13)
    assert {path: path.stat().st_ino for path in (tmp_path / "cache" / "videos").iterdir()} == videos
    assert len(pixels(cache, cache.dataset.test[0])) > 1


def test_a_damaged_entry_is_made_again(clips_dir, tmp_path):
    cache, _ = prepared(clips_dir, tmp_path)
    right = pixels(cache, cache.dataset.train[0])
    for path in (tmp_path / "cache" / "videos").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    cache, preparation = prepared(clips_dir, tmp_path)
    assert preparation.decoded >= 1
    assert np.array_equal(pixels(cache, cache.dataset.train[0]), right)


def test_the_shorter_the_disk_the_smaller_the_form(clips_dir, tmp_path, monkeypatch):
    raw, _ = prepared(clips_dir, tmp_path / "raw")
    needed = 10 * 12 * 16 * 21 * 3
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1.9 * needed))
    small, preparation = prepared(clips_dir, tmp_path / "jpeg")
    assert preparation.forms == {"jpeg": 10}
    for clip in raw.dataset.clips:
        assert np.abs(pixels(small, clip).astype(int) - pixels(raw, clip)).mean() < 16
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0.2 * needed))
    smaller, preparation = prepared(clips_dir, tmp_path / "h264")
    assert preparation.forms == {"h264": 10}
    for clip in raw.dataset.clips:
        assert np.abs(pixels(smaller, clip).astype(int) - pixels(raw, clip)).mean() < 16
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0.01 * needed))
    on_demand, preparation = prepared(clips_dir, tmp_path / "none")
    assert preparation.forms == {"source": 10}
    for clip in raw.dataset.clips:
        assert np.array_equal(pixels(on_demand, clip), pixels(raw, clip))
    assert prepared(clips_dir, tmp_path / "raw")[1].found == 10  # nothing is needed


def test_a_full_disk_is_one_sentence_and_keeps_what_there_is(clips_dir, tmp_path, monkeypatch):
    write_different(clips_dir / "a;b", 5)
    add = VideoWriter.add
    left = [16]

    def fill(writer, frame):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        add(writer, frame)

    monkeypatch.setattr(VideoWriter, "add", fill)
    with pytest.raises(UserError, match="No space left on device; what was decoded is kept"):
        prepared(clips_dir, tmp_path)
    monkeypatch.undo()
    assert not list((tmp_path / "cache").rglob("*.part"))
    kept = len(list((tmp_path / "cache" / "videos").iterdir()))
    assert prepared(clips_dir, tmp_path)[1].found >= kept


def test_clips_of_few_reads_are_decoded_when_they_are_read(clips_dir, tmp_path):
    write_different(clips_dir / "a;b", 5)
    raw, _ = prepared(clips_dir, tmp_path / "raw")
    cache = ClipCache(open_dataset(clips_dir), 16, tmp_path / "cache")
    once = cache.prepare(reads=1.5)
    assert (once.forms, once.decoded + once.found) == ({"source": 15}, 15)
    assert once.stored_bytes < 15 * (12 * 16 + 100)  # two numbers a frame
    clip = cache.dataset.train[0]
    assert np.array_equal(pixels(cache, clip), pixels(raw, clip))
    again = ClipCache(cache.dataset, 16, tmp_path / "cache").prepare(reads=1.5)
    assert (again.decoded, again.found) == (0, 15)
    often = cache.prepare()
    assert (often.forms, often.decoded + often.found) == ({"raw": 15}, 15)
    assert np.array_equal(pixels(cache, clip), pixels(raw, clip))
    assert cache.prepare(reads=1.5).forms == {"raw": 15}


def test_broken_clips_are_named_and_left_out(clips_dir, tmp_path):
    dataset = open_dataset(clips_dir)
    broken, missing = dataset.train[0], dataset.train[1]
    broken.path.write_bytes(b"not a video")
    missing.path.unlink()
    cache = ClipCache(dataset, 16, tmp_path / "cache")
    preparation = cache.prepare()
    assert preparation.decoded + preparation.found == 8
    assert {failure.path for failure in preparation.broken} == {broken.path, missing.path}
    assert cache.usable(dataset.train) == dataset.train[2:]
    with pytest.raises(BrokenClip):
        cache.frames(broken)


def test_only_broken_clips_in_a_split_is_an_error(clips_dir, tmp_path):
    dataset = open_dataset(clips_dir)
    for clip in dataset.test:
        clip.path.write_bytes(b"")
    with pytest.raises(UserError, match=r"test split .*the file is empty"):
        ClipCache(dataset, 16, tmp_path / "cache").prepare()


PREPARE = (
    "import sys; from pathlib import Path; from tvnsearch.data.cache import ClipCache;"
    "from tvnsearch.data.catalog import open_dataset;"
    "ClipCache(open_dataset(Path(sys.argv[1])), 16, Path(sys.argv[2])).prepare()"
)


def begin(clips_dir, directory):
    return subprocess.Popen([sys.executable, "-c", PREPARE, clips_dir, directory], stderr=subprocess.DEVNULL)


def wait_for(process, directory, videos):
    while process.poll() is None and len(list(directory.glob("names/*"))) < videos:
        time.sleep(0.001)


@pytest.fixture
def many(tmp_path):
    """Two classes of forty small videos and a large one each, all different."""
    for name in "ab":
        write_different(tmp_path / "many" / name, 40)
        write_video(tmp_path / "many" / name / "large.mp4", frames=100, width=640, height=480)
    return tmp_path / "many"


def check_kept(many, directory, kept):
    """What was there is found, the rest is decoded, and nothing is left of what had been begun."""
    cache = ClipCache(open_dataset(many), 16, directory)
    preparation = cache.prepare()
    assert preparation.found >= kept
    assert preparation.found + preparation.decoded == 82
    assert not list(directory.rglob("*.part"))
    for clip in cache.dataset.clips:
        assert len(pixels(cache, clip)) == (100 if clip.path.name == "large.mp4" else 2)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_loses_only_the_clips_in_flight(many, tmp_path, end):
    process = begin(many, tmp_path / "cache")
    wait_for(process, tmp_path / "cache", 3)
    process.send_signal(end)
    process.wait()
    kept = len(list((tmp_path / "cache").glob("names/*")))
    assert kept >= 3
    check_kept(many, tmp_path / "cache", kept)


@pytest.mark.slow
def test_kills_at_any_moment_and_several_processes_at_once(many, tmp_path):
    rng = random.Random(0)
    for round_number in range(15):
        directory = tmp_path / f"cache {round_number}"
        kept = 0
        for _ in range(4):
            both = [begin(many, directory) for _ in range(2)]
            wait_for(both[0], directory, kept + 1)
            time.sleep(rng.uniform(0, 0.15))
            for process in both:
                process.kill()
                process.wait()
            assert len(list(directory.glob("names/*"))) >= kept
            kept = len(list(directory.glob("names/*")))
        both = [begin(many, directory) for _ in range(2)]
        assert [process.wait() for process in both] == [0, 0]
        check_kept(many, directory, 82)
