"""Folders of clips as people have them: nothing is taken for something else, and nothing vanishes unsaid."""

from __future__ import annotations

import os

import pytest

from tests.data.test_catalog import names, numbered
from tests.data.videos import write_video
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.catalog.names import VIDEO_EXTENSIONS
from tvnsearch.data.inspection import look_at
from tvnsearch.errors import UserError


def shown(dataset):
    """The class of each clip, by the end of its path."""
    return {
        clip.path.relative_to(dataset.root).as_posix(): dataset.classes[clip.labels[0]]
        for clip in dataset.clips
    }


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "valid", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "validate", "test_set"),
        ("videos_train", "videos_val", "videos_test"),
    ],
)
def test_splits_by_any_of_their_names(tmp_path, touch, train, validation, test):
    touch(tmp_path, *[f"{split}/{name}/{split}.mp4" for split in (train, validation, test) for name in "ab"])
    dataset = open_dataset(tmp_path)
    assert [names(split) for split in dataset.splits.values()] == [
        {f"{train}.mp4"},
        {f"{validation}.mp4"},
        {f"{test}.mp4"},
    ]
    assert dataset.remarks == ()


def test_a_test_folder_beside_class_folders(tmp_path, touch):
    touch(tmp_path, *numbered("run", 20), *numbered("jump", 20), "test/Run/x.mp4", "test/jump/y.mp4")
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("Run", "jump")
    assert names(dataset.test) == {"x.mp4", "y.mp4"}
    assert len(dataset.train) + len(dataset.validation) == 40
    assert dataset.notes == ("'Run' and 'run' are read as one class, 'Run'",)


def test_folders_of_splits_in_those_of_the_classes(tmp_path, touch):
    touch(
        tmp_path,
        *[f"{name}/{split}/{split}.mp4" for name in "ab" for split in ("train", "val", "test")],
        "a/x.mp4",
    )
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("a", "b")
    assert [names(clips) for clips in dataset.splits.values()] == [{"train.mp4"}, {"val.mp4"}, {"test.mp4"}]
    assert dataset.left_out == {"videos outside of class folders": 1}


def test_folders_of_videos_that_are_called_like_splits_are_classes_and_said(tmp_path, touch):
    touch(tmp_path, *numbered("test", 5), *numbered("ship", 5))
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("ship", "test")
    (note,) = dataset.notes
    assert note.startswith("test/ is read as a class and not as a split")


def test_names_that_differ_in_case_are_one_class(tmp_path, touch):
    touch(
        tmp_path,
        *[f"train/{name}/{n}.mp4" for name in ("Run", "Caf\u00e9") for n in range(5)],
        *[f"val/{name}/v.mp4" for name in ("run", "CAFE\u0301")],
        *[f"test/{name}/t.mp4" for name in ("RUN", "caf\u00e9")],
    )
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("CAFE\u0301", "RUN")
    assert [len(clips) for clips in dataset.splits.values()] == [10, 2, 2]
    assert {dataset.classes[clip.labels[0]] for clip in dataset.train} == {"CAFE\u0301", "RUN"}
    assert "'RUN' and 'Run' and 'run' are read as one class, 'RUN'" in dataset.notes


def test_classes_that_a_split_lacks_are_named(tmp_path, touch):
    touch(tmp_path, *[f"train/{name}/0.mp4" for name in "abc"], *[f"val/{name}/1.mp4" for name in "ab"])
    touch(tmp_path, *[f"test/{name}/2.mp4" for name in "abcd"])
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("a", "b", "c", "d")
    assert dataset.notes == (
        "1 of 4 classes have no clip to train with: d",
        "2 of 4 classes have no clip to validate with: c, d",
    )


def test_folders_below_a_class_are_read(tmp_path, touch):
    touch(tmp_path, *numbered("run/day 1/inside", 4), *numbered("run/day 2", 4), *numbered("jump", 4))
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("jump", "run")
    assert len(dataset.clips) == 12
    assert shown(dataset)["run/day 1/inside/3.mp4"] == "run"
    (note,) = dataset.notes
    assert note.startswith("8 clips lie in folders below that of their class, as ")


def test_a_class_that_is_a_link_is_read_and_a_link_to_what_holds_it_is_not_followed(tmp_path, touch):
    touch(tmp_path / "elsewhere", *numbered("run", 4))
    touch(tmp_path / "clips", *numbered("jump", 4))
    (tmp_path / "clips" / "run").symlink_to(tmp_path / "elsewhere" / "run")
    (tmp_path / "clips" / "jump" / "again").symlink_to(tmp_path / "clips")
    dataset = open_dataset(tmp_path / "clips")
    assert len(dataset.clips) == 8
    assert dataset.left_out == {"links to a folder that holds them": 1}


def test_all_that_is_left_out_is_counted(tmp_path, touch):
    touch(
        tmp_path,
        *[f"{split}/{name}/{n}.mp4" for split in ("train", "test") for name in "ab" for n in range(4)],
        *("train/loose.mp4", "beside/c/1.mp4", "top.avi", "readme.md"),
        *("train/a/notes.txt", "train/b/1.jpg", "train/b/2.JPG", "train/b/.DS_Store", "train/a/no ending"),
    )
    dataset = open_dataset(tmp_path)
    assert dataset.left_out == {
        "videos outside of class folders": 3,
        ".txt files": 1,
        ".jpg files": 2,
        "hidden files and folders": 1,
        "files of no known kind": 1,
    }
    assert len(dataset.clips) == 16
    (said,) = dataset.remarks
    assert said.startswith("left out: ")
    assert "videos outside of class folders (3)" in said


def test_every_extension_is_read_in_any_case(tmp_path, touch):
    listed = [f"{name}/x{extension}" for name in "ab" for extension in VIDEO_EXTENSIONS]
    touch(tmp_path, *listed, *(name.upper() for name in listed))
    assert len(open_dataset(tmp_path).clips) == 4 * len(VIDEO_EXTENSIONS)


@pytest.mark.parametrize("extension", sorted(VIDEO_EXTENSIONS))
def test_every_extension_decodes(tmp_path, extension):
    facts = look_at(write_video(tmp_path / f"x{extension}", frames=10, rate=25))
    assert (facts.frames, facts.width, facts.height) == (10, 64, 48)


def test_groups_of_ucf101_and_hmdb51_names_are_recordings(tmp_path, touch):
    touch(tmp_path, *[f"Bowling/v_Bowling_g{g:02}_c{c:02}.avi" for g in range(1, 13) for c in range(1, 8)])
    touch(
        tmp_path,
        *[f"wave/Film_{film}_wave_u_nm_np1_fr_goo_{n}.avi" for film in range(12) for n in range(7)],
    )
    dataset = open_dataset(tmp_path)
    recordings = [{clip.recording for clip in clips} for clips in dataset.splits.values()]
    assert sum(map(len, recordings)) == len(set.union(*recordings)) == 24
    assert {"v_Bowling_g01", "Film_3_wave"} <= set.union(*recordings)
    assert dataset.notes == ()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([f"{name}/video{v}_{n:03}.mp4" for name in "ab" for v in range(3) for n in range(4)], 24),
        ([f"{name}/take {v} - part{n}.mp4" for name in "ab" for v in range(3) for n in range(1, 4)], 18),
        (
            [f"{name}/v_shooting_{v:02}_{n:02}.mpg" for name in "ab" for v in range(3) for n in range(1, 4)],
            18,
        ),
        ([f"{name}/2017_cam{v}_f{n:04}_human1.mp4" for name in "ab" for v in (1, 2) for n in range(4)], 16),
        ([f"{name}/{name}_{n:03}.mp4" for name in ("run", "walk") for n in range(12)], None),
        ([f"{name}/IMG_2024010{n}_12000{n}.mp4" for name in ("run", "walk") for n in range(9)], None),
        ([f"{name}/{n:04}.mp4" for name in ("run", "walk") for n in range(12)], None),
        ([f"{name}/v_{name}_g{n:02}_c01.avi" for name in ("run", "walk") for n in range(12)], None),
    ],
)
def test_names_that_look_like_parts_of_one_file_are_told_of(tmp_path, touch, files, told):
    touch(tmp_path, *files)
    notes = open_dataset(tmp_path).notes
    if told is None:
        assert notes == ()
    else:
        assert [note for note in notes if note.startswith(f"{told} clips are named like parts of ")]


def test_where_the_splits_are_given_names_like_parts_are_not_told_of(tmp_path, touch):
    splits = ("train", "val", "test")
    touch(
        tmp_path, *[f"{split}/{name}/video1_{n:03}.mp4" for split in splits for name in "ab" for n in (1, 2)]
    )
    assert open_dataset(tmp_path).notes == ()


def test_a_folder_that_cannot_be_opened_is_counted(tmp_path, touch, monkeypatch):
    touch(tmp_path, *numbered("a", 4), *numbered("b", 4), *numbered("a/closed", 2))
    opened = os.scandir

    def scandir(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return opened(folder)

    monkeypatch.setattr("os.scandir", scandir)
    dataset = open_dataset(tmp_path)
    assert len(dataset.clips) == 8
    assert dataset.left_out == {"folders that cannot be opened": 1}


def test_listing_looks_at_no_file_by_itself(tmp_path, touch, monkeypatch):
    """A look at each of 300,000 files on a network's disk takes minutes."""
    touch(tmp_path, *numbered("a", 40), *numbered("b", 40))
    looks = []
    for function in ("stat", "lstat"):
        real = getattr(os, function)
        monkeypatch.setattr(
            f"os.{function}", lambda path, *a, real=real, **k: looks.append(path) or real(path, *a, **k)
        )
    assert len(open_dataset(tmp_path).clips) == 80
    assert not [path for path in looks if str(path).endswith(".mp4")]


def test_a_train_folder_of_one_class_is_no_data_set(tmp_path, touch):
    touch(tmp_path, *numbered("train/a", 4), *numbered("test/a", 4))
    with pytest.raises(UserError, match="only 'a'"):
        open_dataset(tmp_path)
