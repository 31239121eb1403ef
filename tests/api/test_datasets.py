"""Clips made, looked at and decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

import tvnsearch
from tests.api.watches import Heard
from tests.data import layouts
from tests.data.videos import write_video
from tvnsearch.data.cache_folder import locking, preparing
from tvnsearch.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    video = write_video(tmp_path / "x.mp4", frames=24).read_bytes()
    layouts.charades(tmp_path / "charades", {".mp4": video})
    (tmp_path / "charades" / "Charades_v1_480" / "TE001.mp4").write_bytes(b"")
    return tmp_path / "charades"


def test_generated_clips_are_a_data_set(tmp_path: Path) -> None:
    heard = Heard()
    dataset = tvnsearch.generate_data(tmp_path / "clips", digits=[3], watch=heard.watch)
    assert dataset.classes == ("3-down", "3-left", "3-right", "3-up")
    assert [len(clips) for clips in dataset.splits.values()] == [4 * 28, 4 * 6, 4 * 6]
    assert heard.progress[-1] == ("encode clips", 1.0, "160 of 160 mp4 files")


def test_an_inspection_counts_and_names(root: Path) -> None:
    heard = Heard()
    inspected = tvnsearch.inspect_data(root, watch=heard.watch)
    assert heard.said == [f"recognised as charades:{root}"]
    assert inspected.dataset.address == f"charades:{root}"
    assert {Path(path).name for path in inspected.found.broken} == {"TE001.mp4"}
    assert sum(inspected.found.clips.values()) - sum(inspected.found.usable.values()) > 0
    assert heard.shares("look at clips")[-1] == 1.0
    quiet = Heard()
    tvnsearch.inspect_data(f"charades:{root}", watch=quiet.watch)
    assert quiet.said == []


def test_clips_are_decoded_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    heard = Heard()
    first = tvnsearch.prepare_data(f"charades:{root}", space="digits", watch=heard.watch)
    again = tvnsearch.prepare_data(f"charades:{root}", space="digits")
    assert (first.resolution, again.resolution) == (64, 64)
    assert (again.done.decoded, again.done.found) == (0, first.done.decoded + first.done.found)
    assert first.usable == again.usable == tvnsearch.inspect_data(root).found.usable
    assert heard.said[0].startswith(f"clips: charades:{root}, 3 classes, ")
    assert any("TE001.mp4: the file is empty" in line for line in heard.said)
    assert Path(first.directory).is_relative_to(tmp_path / "cache")


def test_what_is_left_out_is_one_line_before_clips_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    video = write_video(tmp_path / "x.mp4").read_bytes()
    for file in (*(f"{name}/video1_{n:03}.mp4" for name in "ab" for n in range(4)), "a/x.jpg", "loose.mp4"):
        (tmp_path / "clips" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / file).write_bytes(video)
    heard = Heard()
    tvnsearch.prepare_data(tmp_path / "clips", space="digits", watch=heard.watch)
    assert heard.said[1] == "left out: .jpg files (1), videos outside of class folders (1)"
    assert heard.said[2].startswith(
        "8 clips are named like parts of 1 file (video1_000.mp4, video1_001.mp4, "
    )


def test_no_clips_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is at"):
        tvnsearch.inspect_data(tmp_path / "nowhere")


def test_nothing_is_cleaned_while_clips_are_decoded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    prepared = tvnsearch.prepare_data(root, space="digits")
    directory = Path(prepared.directory)
    with (
        locking(preparing(directory), shared=True),
        pytest.raises(UserError, match="nobody to be decoding clips"),
    ):
        tvnsearch.clean_clips(everything=True)
    heard = Heard()
    stored_bytes = sum(path.stat().st_size for path in (directory / "videos").iterdir())
    cleaned = tvnsearch.clean_clips(everything=True, watch=heard.watch)
    assert cleaned.removed == cleaned.held
    assert cleaned.removed_bytes == stored_bytes > 0
    assert list((directory / "videos").iterdir()) == []
    assert heard.shares("remove videos")[-1] == 1.0
    assert tvnsearch.prepare_data(root, space="digits").done.decoded > 0
