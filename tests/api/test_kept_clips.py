"""A run goes on with the clips that it began with, wherever they are, and with no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tvnsearch.api.kept_clips import check_clips, keep_clips
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    generate(tmp_path / "clips", ClipsPerClass(2, 1, 1), digits=[0])
    return tmp_path / "clips"


def test_moved_clips_are_the_same_ones(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    keep_clips(run, open_dataset(str(clips), 0))
    moved = clips.rename(tmp_path / "moved")
    check_clips(run, open_dataset(str(moved), 0))


def test_clips_that_come_and_go_are_named(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    keep_clips(run, open_dataset(str(clips), 0))
    kept = (run / "clips.json").read_bytes()
    [first, second] = sorted((clips / "train" / "0-up").iterdir())
    shutil.copy(first, first.with_name("new.mp4"))
    second.unlink()
    other = open_dataset(str(clips), 0)
    with pytest.raises(UserError) as refused:
        check_clips(run, other)
    assert "expected the 16 clips that the run" in str(refused.value)
    assert "since then 1 came (train/0-up/new.mp4), and 1 went" in str(refused.value)
    assert f"(train/0-up/{second.name}); restore them" in str(refused.value)
    keep_clips(run, other)
    assert (run / "clips.json").read_bytes() == kept


def test_a_clip_of_another_split_and_another_part_is_another_one(tmp_path: Path) -> None:
    root, run = tmp_path / "clips", tmp_path
    one, two = Clip(root / "a.mp4", (0,), 0.0, 2.0), Clip(root / "a.mp4", (0,), 2.0, 4.0)
    before = Dataset(root, "folders", ("x", "y"), False, True, (one,), (two,), ())
    keep_clips(run, before)
    check_clips(run, before)
    with pytest.raises(UserError, match=r"2 are of another split \(a.mp4:2-4, a.mp4:0-2\)"):
        check_clips(run, Dataset(root, "folders", ("x", "y"), False, True, (two,), (one,), ()))
    with pytest.raises(UserError, match=r"1 came \(a.mp4:2-5\), and 1 went \(a.mp4:2-4\)"):
        three = Clip(root / "a.mp4", (0,), 2.0, 5.0)
        check_clips(run, Dataset(root, "folders", ("x", "y"), False, True, (one,), (three,), ()))
