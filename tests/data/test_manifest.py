"""A data set listed once: what was listed comes back, wherever it lies by then, and nothing else does."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.manifest import ListedClips, StoredFile, encode_manifest, read_manifest
from tvnsearch.errors import UserError

ROOT = Path("/data/clips")
STORED = StoredFile("0a1b.64.clip", 64, 90, 3.0, "jpeg", 1234, "decoder 1", 99, 10**18 + 7)
NO_UTF8 = os.fsdecode(b"caf\xe9.mp4")

TRAIN = (
    Clip(ROOT / "a;b" / "été, 1.mp4", (0,)),
    Clip(ROOT / "b" / NO_UTF8, (1, 2), 1.5, 4.25, "game 7"),
    Clip(ROOT / "b" / NO_UTF8, (), 4.25, None, "game 7"),
)
VALIDATION = (Clip(Path("/elsewhere/x.mp4"), (2,)),)
TEST = (Clip(ROOT / "a;b" / "2.mp4", (0,)), Clip(ROOT / "missing.mp4", (1,)))
DATASET = Dataset(
    ROOT, "csv", ("a;b", NO_UTF8, "c"), True, False, TRAIN, VALIDATION, TEST, protocol="charades"
)
PROBLEMS = {(ROOT / "missing.mp4", 0.0, None): "no such file"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    files = {clip.path: STORED for clip in DATASET.clips if clip.path.name != "missing.mp4"}
    path = tmp_path / "clips.manifest"
    path.write_bytes(encode_manifest(DATASET, 3, 48, "cache 1", files, PROBLEMS))
    return path


def test_what_was_listed_comes_back(path: Path) -> None:
    manifest = read_manifest(path)
    dataset = manifest.dataset
    assert {name: tuple(clips) for name, clips in dataset.splits.items()} == DATASET.splits
    assert (dataset.address, dataset.classes, dataset.protocol) == (
        "csv:/data/clips",
        DATASET.classes,
        "charades",
    )
    assert (dataset.multi_label, dataset.mirrorable, manifest.seed) == (True, False, 3)
    assert (manifest.resolution, manifest.cache) == (48, "cache 1")
    assert dict(manifest.records())[TRAIN[1].path] == STORED
    assert not dict(manifest.records())[ROOT / "missing.mp4"].video
    assert list(manifest.problems()) == [((ROOT / "missing.mp4", 0.0, None), "no such file")]


def test_clips_are_a_sequence(path: Path) -> None:
    train = read_manifest(path).dataset.train
    assert isinstance(train, ListedClips)
    assert (len(train), train[0], train[-1]) == (3, TRAIN[0], TRAIN[2])
    assert tuple(train[1:]) == TRAIN[1:]
    assert tuple(train[::2]) == TRAIN[::2]
    assert TRAIN[1] in train
    with pytest.raises(IndexError):
        train[3]


def test_clips_are_found_by_file_and_time(path: Path) -> None:
    manifest = read_manifest(path)
    for clip in DATASET.clips:
        row = manifest.clip_row(clip.path, clip.start_s, clip.end_s)
        assert row is not None
        assert manifest.clip(row) == clip
        assert manifest.can_use(clip) == (clip.path.name != "missing.mp4")
    assert manifest.clip_row(ROOT / "b" / NO_UTF8, 1.5, None) is None
    assert manifest.clip_row(ROOT / "b" / "z.mp4", 0.0, None) is None
    assert not manifest.can_use(Clip(ROOT / "b" / "z.mp4", (0,)))


def test_clips_that_have_moved_are_the_same_ones(path: Path) -> None:
    here, moved = read_manifest(path), read_manifest(path, Path("/mnt"))
    assert [clip.path for clip in moved.dataset.train] == [
        Path("/mnt") / clip.path.relative_to(ROOT) for clip in TRAIN
    ]
    assert moved.dataset.validation[0] == VALIDATION[0]
    assert moved.dataset.address == "csv:/mnt"
    assert moved.identity(range(6)) == here.identity(range(6))
    assert moved.identity(range(5)) != here.identity(range(6))


def test_paths_of_a_list_are_relative_to_its_folder(tmp_path: Path) -> None:
    roots = [tmp_path / name / "list.csv" for name in ("one", "two")]
    for root in roots:
        root.parent.mkdir()
        root.touch()
    clip = Clip(roots[0].parent / "../videos/x.mp4", (0,))
    dataset = Dataset(roots[0], "csv", ("a", "b"), False, False, (clip,), (), ())
    path = tmp_path / "clips.manifest"
    path.write_bytes(encode_manifest(dataset, 0, 48, "", {}, {}))
    assert read_manifest(path).dataset.train[0] == clip
    assert read_manifest(path, roots[1]).dataset.train[0].path == tmp_path / "two/../videos/x.mp4"


def test_a_damaged_or_foreign_file_is_one_sentence(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    flipped = content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1])
    damaged = [b"", b"{}", content[:10], content[:-1], content + b"x", flipped + content[len(flipped) :]]
    for wrong in (*damaged, b"x" * len(content), content[1:]):
        path.write_bytes(wrong)
        with pytest.raises(UserError, match=r"list of the clips in .*clips\.manifest, but .*; restore"):
            read_manifest(path)
    with pytest.raises(UserError, match="No such file"):
        read_manifest(tmp_path / "nowhere")


def test_opening_a_long_list_takes_no_memory_a_clip(tmp_path: Path) -> None:
    clips = 20_000
    train = tuple(
        Clip(ROOT / f"class {number % 300}" / f"{number}.mp4", (number % 300,)) for number in range(clips)
    )
    classes = tuple(f"class {number}" for number in range(300))
    dataset = Dataset(ROOT, "folders", classes, False, False, train, train[:1], train[1:2])
    path = tmp_path / "clips.manifest"
    path.write_bytes(encode_manifest(dataset, 0, 48, "", dict.fromkeys((c.path for c in train), STORED), {}))
    tracemalloc.start()
    opened = read_manifest(path).dataset.train
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened[clips - 1] == train[-1]
    assert held_bytes < 40 * clips  # a path alone takes several times as much
