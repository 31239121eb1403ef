"""What a cache holds, by who needs it; and what is removed, which nobody who lives uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from tests.data.videos import picture, write_video
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.cleaning import cached_videos, grouped, removable, remove_videos

KEEP_OPEN = (
    "import sys; from pathlib import Path; from tvnsearch.data.manifest import read_manifest;"
    "kept = read_manifest(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
)


def dataset_of(folder, shade):
    for number in range(6):
        pictures = [picture(64, 48, shade + 5 * number)] * 2
        write_video(folder / "ab"[number % 2] / f"{number}.mp4", pictures=pictures)
    return open_dataset(folder)


@pytest.fixture
def directory(tmp_path):
    """Videos of two data sets, one of which is gone, and those of a run, all closed."""
    directory = tmp_path / "cache"
    for name, shade in (("there", 40), ("gone", 90), ("of a run", 150)):
        path = tmp_path / "run" / "clips.manifest" if name == "of a run" else None
        (tmp_path / "run").mkdir(exist_ok=True)
        dataset = dataset_of(tmp_path / name, shade)
        ClipCache(dataset, 16, directory, manifest_path=path).prepare()
    shutil.rmtree(tmp_path / "gone")
    shutil.rmtree(tmp_path / "of a run")
    return directory


def names(groups):
    return {data.rpartition("/")[2] for group in groups for data in group.data}


def going(directory, **how):
    ways = {"unreferenced": False, "older_than_days": None, "everything": False}
    return removable(cached_videos(directory), **ways | how)


def test_what_is_held_is_told_by_data_set_and_size(directory, tmp_path):
    ClipCache(open_dataset(tmp_path / "there"), 32, directory).prepare()
    held = grouped(cached_videos(directory))
    assert sum(group.videos for group in held) == 24
    total = sum(path.stat().st_size for path in (directory / "videos").iterdir())
    assert sum(group.bytes for group in held) == total
    assert {(group.resolution, group.form) for group in held} == {(16, "raw"), (32, "raw")}
    assert held[0].resolution == 32
    assert names(group for group in held if not group.referred) == {"gone"}
    assert not any(group.in_use for group in held)


def test_what_nobody_refers_to_goes_alone(directory, tmp_path):
    videos = going(directory, unreferenced=True)
    assert names(grouped(videos)) == {"gone"}
    done = []
    remove_videos(directory, videos, lambda *told: done.append(told))
    assert done[-1] == (6, 6)
    assert names(grouped(cached_videos(directory))) == {"there", "of a run"}
    assert all(link.exists() for link in (directory / "names").iterdir())
    shutil.rmtree(tmp_path / "run")
    assert len(going(directory, unreferenced=True)) == 6


def test_what_nobody_has_opened_for_long_goes(directory):
    assert going(directory, older_than_days=1) == []
    for path in (*(directory / "videos").iterdir(), *(directory / "manifests").iterdir()):
        os.utime(path, (time.time() - 3 * 86_400,) * 2, follow_symlinks=False)
    assert len(going(directory, older_than_days=1)) == 18
    assert going(directory, older_than_days=4) == []


def test_what_a_living_process_uses_stays(directory, tmp_path):
    run = tmp_path / "run" / "clips.manifest"
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP_OPEN, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "open\n"
        assert names(grouped(going(directory, everything=True))) == {"there", "gone"}
        assert names(group for group in grouped(cached_videos(directory)) if group.in_use) == {"of a run"}
    finally:
        process.communicate()
    assert len(going(directory, everything=True)) == 18


def test_a_data_set_that_lost_its_videos_is_decoded_again(directory, tmp_path):
    remove_videos(directory, going(directory, everything=True), lambda *told: None)
    assert list((directory / "videos").iterdir()) == []
    assert ClipCache(open_dataset(tmp_path / "there"), 16, directory).prepare().decoded == 6
