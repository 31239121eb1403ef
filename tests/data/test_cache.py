from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.data.videos import write_video
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.decode import decode_clip
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


def test_each_clip_is_decoded_once(clips_dir, tmp_path):
    dataset = open_dataset(clips_dir)
    cache = ClipCache(dataset, 16, tmp_path / "cache")
    seen = []
    first = cache.prepare(lambda done, clips: seen.append((done, clips)))
    assert (first.decoded, first.found, first.broken) == (10, 0, ())
    assert seen == [(done, 10) for done in range(1, 11)]
    again = ClipCache(open_dataset(clips_dir), 16, tmp_path / "cache").prepare()
    assert (again.decoded, again.found) == (0, 10)
    clip = dataset.train[0]
    assert np.array_equal(cache.frames(clip), decode_clip(clip.path, 16))
    with pytest.raises(ValueError, match="read-only"):
        cache.frames(clip)[0] = 0


def test_a_changed_clip_and_another_resolution_are_decoded_anew(clips_dir, tmp_path):
    ClipCache(open_dataset(clips_dir), 16, tmp_path / "cache").prepare()
    changed = next(clips_dir.rglob("*.mp4"))
    write_video(changed, frames=20)
    cache = ClipCache(open_dataset(clips_dir), 16, tmp_path / "cache")
    assert cache.prepare().decoded == 1
    assert {len(cache.frames(clip)) for clip in cache.dataset.clips if clip.path == changed} == {20}
    assert ClipCache(open_dataset(clips_dir), 24, tmp_path / "cache").prepare().decoded == 10


def test_broken_clips_are_named_and_left_out(clips_dir, tmp_path):
    dataset = open_dataset(clips_dir)
    broken, missing = dataset.train[0], dataset.train[1]
    broken.path.write_bytes(b"not a video")
    missing.path.unlink()
    cache = ClipCache(dataset, 16, tmp_path / "cache")
    preparation = cache.prepare()
    assert preparation.decoded == 8
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


def test_a_kill_loses_only_the_clips_in_flight(clips_dir, tmp_path):
    for number in range(60):
        write_video(clips_dir / "a;b" / f"more {number}.mp4", frames=2)
    write_video(clips_dir / "été" / "5.mp4", frames=100, width=640, height=480)
    script = (
        "import sys; from pathlib import Path; from tvnsearch.data.cache import ClipCache;"
        "from tvnsearch.data.catalog import open_dataset;"
        "ClipCache(open_dataset(Path(sys.argv[1])), 16, Path(sys.argv[2])).prepare()"
    )
    directory = tmp_path / "cache"
    process = subprocess.Popen([sys.executable, "-c", script, clips_dir, directory], env=os.environ)
    while process.poll() is None and len(list(directory.glob("*.npy"))) < 3:
        time.sleep(0.001)
    process.kill()
    process.wait()
    kept = len(list(directory.glob("*.npy")))
    cache = ClipCache(open_dataset(clips_dir), 16, directory)
    preparation = cache.prepare()
    assert preparation.found == kept >= 3
    assert preparation.found + preparation.decoded == 71
    assert all(cache.frames(clip).shape[1:] == (16, 16, 3) for clip in cache.dataset.clips)
