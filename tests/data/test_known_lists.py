"""Known data sets under the names, and in the parts, that people have them in."""

from __future__ import annotations

import json

import pytest

from tests.data import layouts
from tvnsearch.data.catalog import open_dataset
from tvnsearch.errors import UserError

NO_VIDEOS = {".mp4": b"", ".avi": b"", ".webm": b"", ".jpg": b""}


def paths(dataset):
    return {split: {clip.path for clip in clips} for split, clips in dataset.splits.items()}


def test_something_something_under_its_long_names(tmp_path):
    layouts.something_something(tmp_path, NO_VIDEOS)
    short = open_dataset(tmp_path)
    for name in ("labels", "train", "validation", "test"):
        (tmp_path / f"{name}.json").rename(tmp_path / f"something-something-v2-{name}.json")
    dataset = open_dataset(tmp_path)
    assert dataset.format == "something-something-v2"
    assert (dataset.splits, dataset.classes) == (short.splits, short.classes)
    assert short.left_out == {"clips of test.json, which has no labels": 2}
    assert sum(dataset.left_out.values()) == 2


@pytest.mark.parametrize(
    "names",
    [
        {"train.csv": "kinetics_train.csv", "validate.csv": "kinetics_val.csv", "train": "videos_train"},
        {"train.csv": "annotations/kinetics-400_train.csv", "validate.csv": "annotations/k400_val.csv"},
        {"val": "videos_val", "train": "training"},
    ],
)
def test_kinetics_under_other_names(tmp_path, names):
    layouts.kinetics(tmp_path, NO_VIDEOS)
    before = open_dataset(tmp_path)
    (tmp_path / "annotations").mkdir()
    for old, new in names.items():
        (tmp_path / old).rename(tmp_path / new)
    dataset = open_dataset(tmp_path)
    assert dataset.format == "kinetics"
    assert dataset.classes == before.classes
    assert all(clip.path.is_file() for clip in dataset.clips)
    assert {clip.path.name for clip in dataset.test} == {clip.path.name for clip in before.test}
    assert sum(before.left_out.values()) == 1  # the clip of the official test, which has no label


def test_lists_of_mmaction_with_its_folders(tmp_path, touch):
    for split, count in (("train", 4), ("val", 2)):
        files = [f"{label}/{label}{n}.mp4" for label in ("0", "1") for n in range(count)]
        touch(tmp_path / f"videos_{split}", *files)
        lines = [f"{file} {100 + n} {file[0]}" for n, file in enumerate(files)]
        (tmp_path / f"kinetics400_{split}_list_videos.txt").write_text("\n".join(lines))
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.classes) == ("kinetics", ("0", "1"))
    assert all(clip.path.is_file() for clip in dataset.clips)
    assert all(dataset.classes[clip.labels[0]] == clip.path.parent.name for clip in dataset.clips)
    assert len(dataset.test) == 4


def test_ucf101_with_a_class_in_other_capitals(tmp_path):
    layouts.ucf101(tmp_path, NO_VIDEOS)
    for path in (tmp_path / "ucfTrainTestlist").iterdir():
        listed = path.read_text().replace("BandMarching", "HandstandPushups")
        path.write_text(listed.replace("v_Handstand", "v_HandStand"))
    folder = tmp_path / "UCF-101" / "BandMarching"
    for file in folder.iterdir():
        file.rename(folder / file.name.replace("BandMarching", "HandStandPushups"))
    folder.rename(tmp_path / "UCF-101" / "HandStandPushups")
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("ApplyEyeMakeup", "HandstandPushups")
    assert len(dataset.clips) == 24
    assert all(clip.path.is_file() for clip in dataset.clips)
    assert dataset.remarks == ()


def test_classes_that_were_taken_out_are_left_out_and_counted(tmp_path):
    layouts.ucf101(tmp_path / "ucf", NO_VIDEOS)
    names = tmp_path / "ucf" / "ucfTrainTestlist"
    (names / "classInd.txt").write_text((names / "classInd.txt").read_text() + "3 Third\n")
    for name, number in (("trainlist01.txt", " 4"), ("testlist01.txt", "")):
        (names / name).write_text((names / name).read_text() + f"Fourth/v_Fourth_g01_c01.avi{number}\n")
    dataset = open_dataset(tmp_path / "ucf")
    assert len(dataset.clips) == 24
    assert dataset.left_out == {"clips of classes that classInd.txt does not have": 2}
    assert "1 of 3 classes have no clip to train with: Third" in dataset.notes

    layouts.moments_in_time(tmp_path / "moments", NO_VIDEOS)
    rows = tmp_path / "moments" / "validationSet.csv"
    rows.write_text(rows.read_text() + "\r\nskating/1.mp4,skating,3,0")
    assert sum(open_dataset(tmp_path / "moments").left_out.values()) == 1

    layouts.kinetics(tmp_path / "kinetics", NO_VIDEOS)
    rows = tmp_path / "kinetics" / "validate.csv"
    rows.write_text(rows.read_text() + "sailing,--sailing,1,11,validate,0\n")
    dataset = open_dataset(tmp_path / "kinetics")
    assert dataset.left_out["clips of classes that train.csv does not have"] == 1
    assert len(dataset.test) == 4

    layouts.something_something(tmp_path / "things", NO_VIDEOS)
    rows = tmp_path / "things" / "train.json"
    entry = {"id": "1", "label": "x", "template": "Taking [something]", "placeholders": []}
    rows.write_text(json.dumps([*json.loads(rows.read_text()), entry]))
    dataset = open_dataset(tmp_path / "things")
    assert dataset.left_out["clips of classes that labels.json does not have"] == 1


def test_where_all_clips_are_of_other_classes_that_is_said(tmp_path):
    layouts.moments_in_time(tmp_path, NO_VIDEOS)
    (tmp_path / "moments_categories.txt").write_text("sailing,0\nskating,1\n")
    with pytest.raises(UserError, match=r"without clips of classes that moments_categories.txt .* \(20\)"):
        open_dataset(tmp_path)


def test_what_a_split_of_hmdb51_does_not_use_is_counted(tmp_path):
    layouts.hmdb51(tmp_path, NO_VIDEOS)
    assert open_dataset(f"hmdb51-split1:{tmp_path}").left_out == {"clips that this split does not use": 2}


@pytest.mark.parametrize(("encoding", "words"), [("utf-16", "UTF-16"), ("latin-1", "another encoding")])
def test_json_in_another_encoding_is_to_be_saved_as_utf_8(tmp_path, encoding, words):
    layouts.something_something(tmp_path, NO_VIDEOS)
    path = tmp_path / "train.json"
    path.write_text(path.read_text().replace("a cup", "Gefäß"), encoding=encoding)
    with pytest.raises(UserError, match=f"{words}.*save it as UTF-8"):
        open_dataset(tmp_path)


def shown(dataset):
    """What each clip shows by name, by split, file and time."""
    return {
        (split, clip.path.stem, clip.start_s): {dataset.classes[label] for label in clip.labels}
        for split, clips in dataset.splits.items()
        for clip in clips
    }


def test_a_part_of_the_classes_of_charades(tmp_path):
    """Smiling is taken out: every fourth video shows that alone, and every fourth shows nothing."""
    layouts.charades(tmp_path, NO_VIDEOS)
    whole = shown(open_dataset(tmp_path))
    file = tmp_path / "Charades_v1_classes.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    part = open_dataset(tmp_path)
    smiling = {key: labels for key, labels in whole.items() if "Smiling / laughing" in labels}
    assert {split for split, *_ in smiling} == {"train", "validation", "test"}
    assert all(len(labels) == 1 for labels in smiling.values())
    assert len(part.classes) == 2
    assert shown(part).keys() == whole.keys() - smiling.keys()
    assert {key: whole[key] for key in shown(part)} == shown(part)
    assert part.left_out == {
        "actions of classes that Charades_v1_classes.txt does not have": 4,
        "videos of such actions alone in Charades_v1_train.csv": 3,
        "videos of such actions alone in Charades_v1_test.csv": 1,
    }
