from __future__ import annotations

import pytest

from tests.data import layouts
from tvnsearch.data.catalog import open_dataset
from tvnsearch.errors import UserError


def names(clips):
    return {clip.path.name for clip in clips}


def numbered(folder, count):
    return [f"{folder}/{number}.mp4" for number in range(count)]


def test_class_folders_without_splits(tmp_path, touch):
    touch(
        tmp_path, *numbered("jump", 10), *numbered("run", 20), "run/notes.txt", "run/._0.mp4", ".cache/x.mp4"
    )
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("jump", "run")
    assert not dataset.multi_label
    assert dataset.chance == 0.5
    assert all({clip.labels[0] for clip in split} == {0, 1} for split in dataset.splits.values())
    assert len({clip.path for clip in dataset.clips}) == len(dataset.clips) == 30
    assert dataset.left_out == {"hidden files and folders": 2, ".txt files": 1}
    assert all(dataset.classes[clip.labels[0]] == clip.path.parent.name for clip in dataset.clips)
    assert open_dataset(tmp_path) == dataset
    assert open_dataset(tmp_path, seed=1).train != dataset.train


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_given_splits_are_kept(tmp_path, touch, validation):
    touch(
        tmp_path, *[f"{split}/{name}/{split}.mp4" for split in ("train", validation, "test") for name in "ab"]
    )
    dataset = open_dataset(tmp_path)
    assert names(dataset.train) == {"train.mp4"}
    assert names(dataset.validation) == {f"{validation}.mp4"}
    assert names(dataset.test) == {"test.mp4"}


@pytest.mark.parametrize("other", ["val", "test"])
def test_one_other_split_is_the_test_and_validation_comes_from_train(tmp_path, touch, other):
    touch(
        tmp_path, *numbered("train/a", 10), *numbered("train/b", 10), f"{other}/a/x.mp4", f"{other}/b/y.mp4"
    )
    dataset = open_dataset(tmp_path)
    assert names(dataset.test) == {"x.mp4", "y.mp4"}
    assert {clip.path.parts[-3] for clip in dataset.validation} == {"train"}
    assert len(dataset.train) + len(dataset.validation) == 20
    assert {clip.labels[0] for clip in dataset.validation} == {0, 1}


def test_a_class_may_be_called_train(tmp_path, touch):
    touch(tmp_path, *numbered("train", 5), *numbered("ship", 5))
    assert open_dataset(tmp_path).classes == ("ship", "train")


def test_extensions_in_any_case(tmp_path, touch):
    touch(tmp_path, "a/1.MP4", "a/2.WebM", "a/3.avi", "b/1.mkv", "b/2.MOV", "b/3.mp4", "b/4.jpg")
    assert len(open_dataset(tmp_path).clips) == 6


@pytest.mark.parametrize("header", ["", "path,label\n", "\ufeffPath,Labels\r\n"])
def test_a_csv_list(tmp_path, header):
    rows = "".join(
        f"clips/{label} {number}; é.mp4,{label}\n" for label in ("on", "off") for number in range(4)
    )
    (tmp_path / "list.csv").write_text(header + rows + "\n", encoding="utf-8")
    dataset = open_dataset(tmp_path / "list.csv")
    assert dataset.classes == ("off", "on")
    assert not dataset.multi_label
    assert len(dataset.clips) == 8
    assert dataset.train[0].path.parent == tmp_path / "clips"


def test_a_csv_list_with_several_labels_and_splits(tmp_path):
    rows = [
        "path,label,split",
        '"a, b.mp4",hit;swing,train',
        "c.mp4,ball,train",
        "d.mp4,hit,VAL",
        "e.mp4,ball;,test",
    ]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("ball", "hit", "swing")
    assert dataset.multi_label
    assert [clip.labels for clip in dataset.clips] == [(1, 2), (0,), (1,), (0,)]
    assert dataset.train[0].path == tmp_path / "a, b.mp4"


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("b.mp4", "has 1 columns"),
        ("b.mp4,x,train,4", "has 4 columns"),
        ("b.mp4,x,train", "3 columns where the lines before have 2"),
        ("b.mp4,", "has no label"),
        ("b.txt,x", "names 'b.txt'"),
        (",x", "names ''"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path, row, what):
    (tmp_path / "list.csv").write_text(f"path,label\na.mp4,x\n{row}\n")
    with pytest.raises(UserError, match=f"line 3 .*{what}"):
        open_dataset(tmp_path / "list.csv")


def test_an_unknown_split_is_named_by_its_line(tmp_path):
    (tmp_path / "list.csv").write_text("a.mp4,x,train\nb.mp4,y,dev\n")
    with pytest.raises(UserError, match="line 2 has the split 'dev'"):
        open_dataset(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ([], "has none"),
        (["a.mp4", "b.mp4"], "has none"),
        (["a/x.txt", "b/y.txt"], "has none"),
        (numbered("a", 5), "only 'a'"),
        (["a/1.mp4", "b/1.mp4"], "none is left for the validation split"),
        (["val/a/1.mp4", "val/b/1.mp4"], "none is left for the train split"),
        (["videos/a/1.mp4", "videos/b/1.mp4"], "videos are in .*/videos alone; give that if the classes"),
    ],
)
def test_a_folder_that_is_no_data_set(tmp_path, touch, files, what):
    touch(tmp_path, *files)
    with pytest.raises(UserError, match=what):
        open_dataset(tmp_path)


def test_a_path_that_is_nothing(tmp_path, touch):
    with pytest.raises(UserError, match="nothing is at"):
        open_dataset(tmp_path / "missing")
    with pytest.raises(UserError, match="neither"):
        open_dataset(touch(tmp_path, "a.mp4") / "a.mp4")


@pytest.mark.parametrize("content", [b"", b"path,label\n"])
def test_a_csv_without_rows(tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(UserError, match="lists no clip"):
        open_dataset(tmp_path / "list.csv")


@pytest.mark.parametrize(("name", "tested"), [("hmdb51", [4, 6, 6]), ("ucf101", [4, 8, 12])])
def test_data_sets_of_three_splits_take_the_split_that_is_named(tmp_path, video_bytes, name, tested):
    getattr(layouts, name)(tmp_path, {".avi": video_bytes})
    opened = [open_dataset(f"{name}-split{number}:{tmp_path}") for number in (1, 2, 3)]
    assert [dataset.format for dataset in opened] == [f"{name}-split{number}" for number in (1, 2, 3)]
    assert [len(dataset.test) for dataset in opened] == tested
    assert names(opened[1].test) != names(opened[0].test)
    assert open_dataset(f"{name}:{tmp_path}") == opened[0] == open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("kinetcs:/data", "before the colon, got 'kinetcs'"),
        ("hmdb51-split4:/data", "from 1 to 3 of hmdb51, got 4"),
        ("charades-split2:/data", "give charades:/data"),
        ("charades:/data/that/is/not/there", "nothing is at /data/that/is/not/there"),
    ],
)
def test_an_address_that_means_nothing(address, what):
    with pytest.raises(UserError, match=what):
        open_dataset(address)


def test_a_folder_may_be_called_like_an_address(tmp_path, touch, monkeypatch):
    touch(tmp_path / "charades:x", *numbered("jump", 5), *numbered("run", 5))
    monkeypatch.chdir(tmp_path)
    assert open_dataset("charades:x").classes == ("jump", "run")


def test_two_data_sets_in_one_folder_have_to_be_told_apart(tmp_path, video_bytes):
    layouts.mlb_segmented(tmp_path, {".mp4": video_bytes})
    layouts.mlb_continuous(tmp_path, {".mp4": video_bytes})
    with pytest.raises(UserError, match="files of mlb-segmented and mlb-continuous"):
        open_dataset(tmp_path)
    assert open_dataset(f"mlb-continuous:{tmp_path}").format == "mlb-continuous"


def test_a_clip_in_two_splits_is_refused(tmp_path, touch):
    rows = ["a.mp4,x,train", "b.mp4,y,train", "c.mp4,x,val", "a.mp4,x,test"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=r"a\.mp4 is in train and test"):
        open_dataset(tmp_path / "list.csv")


def test_clips_of_one_recording_are_in_one_split(tmp_path, video_bytes):
    """Otherwise a network is selected for recognising the recording."""
    layouts.ucf101(tmp_path, {".avi": video_bytes})
    dataset = open_dataset(tmp_path)
    groups = [{clip.path.name[:-8] for clip in split} for split in (dataset.train, dataset.validation)]
    assert len(groups[0]) + len(groups[1]) == 10
