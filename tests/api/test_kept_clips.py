"""A run goes on with the clips that it began with, wherever they are, and with no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.api.watches import Heard
from tests.data.videos import write_video
from tvnsearch.api.clips import open_clips, prepare_clips
from tvnsearch.api.kept_clips import keep_clips, kept_clips
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.search.run_folder import clips_path


class Run:
    """A folder of a run, whose clips are opened as its commands open them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clips = folder / "run", folder / "clips"
        self.cache = folder / "cache"
        self.heard = Heard()

    def begin(self) -> ClipCache:
        cache, _ = open_clips(self.clips, self.cache, 16, seed=0)
        prepare_clips(cache)
        source = keep_clips(self.folder, cache)
        assert source.manifest == str(clips_path(self.folder))
        return cache

    def go_on(self, data: Path | None = None) -> ClipCache:
        kept, path = kept_clips(self.folder, data), clips_path(self.folder)
        assert kept is not None
        cache, _ = open_clips(data or self.clips, self.cache, 16, seed=0, kept=kept, manifest=path)
        prepare_clips(cache, self.heard.watch)
        return cache

    @property
    def since(self) -> list[str]:
        return [line for line in self.heard.said if "since" in line]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    generate(tmp_path / "clips", ClipsPerClass(2, 1, 1), digits=[0])
    (tmp_path / "run").mkdir()
    return Run(tmp_path)


def test_nothing_is_kept_before_a_run_has_begun(run: Run) -> None:
    assert kept_clips(run.folder) is None


def test_moved_clips_are_the_same_ones(run: Run) -> None:
    begun = run.begin()
    moved = run.clips.rename(run.clips.with_name("moved"))
    cache = run.go_on(moved)
    assert cache.dataset.address == f"folders:{moved}"
    assert [clip.path.relative_to(moved) for clip in cache.dataset.train] == [
        clip.path.relative_to(run.clips) for clip in begun.dataset.train
    ]
    assert run.since == []
    assert cache.identity(cache.dataset.train) == begun.identity(begun.dataset.train)
    assert tuple(run.go_on(moved).dataset.train) == tuple(cache.dataset.train)


def test_another_folder_is_not_where_the_clips_have_moved(run: Run, tmp_path: Path) -> None:
    run.begin()
    generate(tmp_path / "others", ClipsPerClass(2, 1, 1), digits=[1])
    with pytest.raises(
        UserError, match=r"in .*/others, but 16 of its 16 files are not there \(.*; say where"
    ):
        kept_clips(run.folder, tmp_path / "others")
    with pytest.raises(UserError, match="nothing is at"):
        kept_clips(run.folder, tmp_path / "nowhere")


def test_clips_that_come_and_go_are_named_and_change_nothing(run: Run) -> None:
    begun = run.begin()
    [first, second] = sorted((run.clips / "train" / "0-up").iterdir())
    shutil.copy(first, first.with_name("new.mp4"))
    second.unlink()
    for split in ("train", "val", "test"):
        write_video(run.clips / split / "another class" / f"{split}.mp4")
    cache = run.go_on()
    assert cache.dataset.classes == begun.dataset.classes
    assert {name: tuple(clips) for name, clips in cache.dataset.splits.items()} == begun.dataset.splits
    assert tuple(cache.usable(cache.dataset.train)) == begun.dataset.train
    assert len(cache.frames(next(clip for clip in cache.dataset.train if clip.path == second))) > 1
    [went, came] = run.since
    assert f"1 files went ({second}): what was decoded of them is used" in went
    assert "4 came (" in came
    assert "new.mp4" in came or "another class" in came


def test_a_clip_whose_content_changed_is_named_and_what_it_held_is_used(run: Run) -> None:
    begun = run.begin()
    clip = begun.dataset.test[0]
    frames = len(begun.frames(clip))
    write_video(clip.path, frames=frames + 5)
    cache = run.go_on()
    assert len(cache.frames(clip)) == frames
    assert any(f"1 files changed ({clip.path})" in line for line in run.since)


def test_a_clip_that_nobody_has_is_refused_by_name(run: Run) -> None:
    begun = run.begin()
    [lost, *_] = begun.dataset.validation
    lost.path.unlink()
    shutil.rmtree(run.cache / "videos")
    with pytest.raises(UserError, match=rf"1 of their files are gone .*\({lost.path}\); restore them, say"):
        run.go_on()


def test_a_clip_with_another_label_is_named(run: Run, tmp_path: Path) -> None:
    files = sorted(run.clips.rglob("*.mp4"))
    rows = [f"{path},{path.parent.name},{path.parent.parent.name}" for path in files]
    run.clips = tmp_path / "list.csv"
    run.clips.write_text("\n".join(rows))
    run.begin()
    rows[0] = rows[0].replace(",0-down,", ",0-left,")
    run.clips.write_text("\n".join(rows))
    run.go_on()
    assert any(f"1 got other labels ({files[0]})" in line for line in run.since)


def test_a_damaged_list_is_one_sentence(run: Run) -> None:
    run.begin()
    clips_path(run.folder).write_bytes(b"{}")
    with pytest.raises(
        UserError, match=r"list of the clips in .*/run/clips\.manifest, but it cannot be read"
    ):
        kept_clips(run.folder)
