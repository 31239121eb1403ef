"""Lists of clips as people and other tools write them."""

from __future__ import annotations

import pytest

from tests.data.test_catalog import names
from tvnsearch.data.catalog import open_dataset
from tvnsearch.errors import UserError

SIX = [(f"{name}{n}.mp4", name) for name in ("on", "off") for n in range(3)]


def listed(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return open_dataset(path)


def labels(dataset):
    """What each clip shows, by the name of its file and where it begins."""
    return {
        (clip.path.name, clip.start_s): {dataset.classes[label] for label in clip.labels}
        for clip in dataset.clips
    }


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,label", "{0},{1}"),
        ("filename,class", "{0},{1}"),
        ("Category,File Name", "{1},{0}"),
        ("video_path,action", "{0},{1}"),
        (",file,label", "7,{0},{1}"),
        ("Unnamed: 0,video,tag", "7,{0},{1}"),
        ("clip_name,clip_path,label", "clip,{0},{1}"),
        ("path,label,", "{0},{1},"),
        ("path,label", "{0},{1},,"),
    ],
)
def test_headers_by_any_name_and_in_any_order(tmp_path, header, row):
    dataset = listed(tmp_path / "x.csv", "\n".join([header, *(row.format(*clip) for clip in SIX)]))
    assert labels(dataset) == {(name, 0.0): {label} for name, label in SIX}
    unread = "columns of x.csv that are not read: clip_name"
    assert dataset.notes == ((unread,) if "clip_name" in header else ())


@pytest.mark.parametrize(
    ("split", "given"),
    [("Training,valid,TEST", True), ("train,val,testing", True), ("train,train,train", False)],
)
def test_a_split_column_by_any_of_its_names(tmp_path, split, given):
    rows = [f"{name},{label},{split.split(',')[int(name[-5])]}" for name, label in SIX]
    dataset = listed(tmp_path / "x.csv", "\n".join(["video,category,subset", *rows]))
    sizes = [len(clips) for clips in dataset.splits.values()]
    assert sizes == [2, 2, 2]
    assert (names(dataset.test) == {"on2.mp4", "off2.mp4"}) == given


def test_an_index_without_a_header(tmp_path):
    dataset = listed(tmp_path / "x.csv", "\n".join(f"{n},{clip[0]},{clip[1]}" for n, clip in enumerate(SIX)))
    assert labels(dataset) == {(name, 0.0): {label} for name, label in SIX}


def test_lists_of_their_own_for_each_split(tmp_path, touch):
    for split, number in (("train", 0), ("val", 1), ("test", 2)):
        rows = [f"{name},{label}" for name, label in SIX if int(name[-5]) == number]
        (tmp_path / f"{split}.csv").write_text("\n".join(["filename,class", *rows]))
    touch(tmp_path, "val/on1.mp4", "videos/on2.mp4")
    dataset = open_dataset(tmp_path)
    assert dataset.format == "csv"
    assert [names(clips) for clips in dataset.splits.values()] == [
        {f"on{n}.mp4", f"off{n}.mp4"} for n in range(3)
    ]
    assert {clip.path.parent for clip in dataset.train} == {tmp_path}
    assert {clip.path.parent for clip in dataset.validation} == {tmp_path / "val"}
    assert {clip.path.parent for clip in dataset.test} == {tmp_path / "videos"}


def test_a_test_list_without_labels_is_left_out_and_counted(tmp_path):
    (tmp_path / "train.csv").write_text("\n".join(["file,label", *(",".join(clip) for clip in SIX)]))
    (tmp_path / "test.csv").write_text("file\na.mp4\nb.mp4\n")
    dataset = open_dataset(tmp_path)
    assert len(dataset.clips) == 6
    assert dataset.left_out == {"clips of test.csv, which has no labels": 2}


def test_a_list_that_has_no_labels_is_refused(tmp_path):
    with pytest.raises(UserError, match="lacks label"):
        listed(tmp_path / "x.csv", "path,activity\na.mp4,x\n")


def test_recordings_and_times(tmp_path):
    rows = [
        f"{label}.mp4,{label},{n},{n + 0.5},day {n % 6}" for n in range(24) for label in ("on", "off", "idle")
    ]
    dataset = listed(tmp_path / "x.csv", "\n".join(["path,label,start,end,recording", *rows]))
    assert len(dataset.clips) == 72
    first = next(clip for clip in dataset.clips if clip.start_s == 7 and clip.path.name == "off.mp4")
    assert (first.end_s, first.recording) == (7.5, "day 1")
    recordings = [{clip.recording for clip in clips} for clips in dataset.splits.values()]
    assert sum(map(len, recordings)) == 6
    assert all(recordings)


def test_parts_of_one_file_are_one_recording(tmp_path):
    rows = [f"{label}{n}.mp4,{label},{start}," for label in "ab" for n in range(4) for start in range(5)]
    dataset = listed(tmp_path / "x.csv", "\n".join(["path,label,start,end", *rows]))
    files = [names(clips) for clips in dataset.splits.values()]
    assert sum(map(len, files)) == 8
    assert {clip.end_s for clip in dataset.clips} == {None}


def test_a_recording_in_two_given_splits_is_told_of(tmp_path):
    rows = [f"{name},{label},{('train', 'val', 'test')[int(name[-5])]},room {label}" for name, label in SIX]
    dataset = listed(tmp_path / "x.csv", "\n".join(["path,label,split,recording", *rows]))
    assert [len(clips) for clips in dataset.splits.values()] == [2, 2, 2]
    assert dataset.notes == (
        "2 recordings have clips in several splits (room off, room on): a score may come of knowing a "
        "recording again",
    )


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a.mp4,on,x,2", "line 2 has 'x'"),
        ("a.mp4,on,-1,2", "line 2 has '-1'"),
        ("a.mp4,on,0,nan", "line 2 has 'nan'"),
        ("a.mp4,on,3,2", "line 2 is from 3 to 2 s"),
    ],
)
def test_times_that_are_none_are_named_by_their_line(tmp_path, row, what):
    with pytest.raises(UserError, match=what):
        listed(tmp_path / "x.csv", f"path,label,start,end\n{row}\n")


def test_labels_that_contradict_each_other_are_refused_by_name(tmp_path):
    rows = "\n".join([*(",".join(clip) for clip in SIX), "on1.mp4,off"])
    with pytest.raises(UserError, match=r"on1\.mp4 is listed as 'on' and as 'off'.*`on;off`"):
        listed(tmp_path / "x.csv", rows)


def test_what_rows_of_a_clip_say_is_put_together_where_clips_show_several(tmp_path):
    rows = "\n".join([*(",".join(clip) for clip in SIX), "on1.mp4,off", "off2.mp4,off", "on0.mp4,on;"])
    dataset = listed(tmp_path / "x.csv", rows)
    assert dataset.multi_label
    assert len(dataset.clips) == 6
    assert labels(dataset)["on1.mp4", 0.0] == {"on", "off"}
    assert dataset.left_out == {"clips that are listed again": 2}


def test_a_row_that_is_repeated_is_one_clip(tmp_path):
    dataset = listed(tmp_path / "x.csv", "\n".join(",".join(clip) for clip in [*SIX, SIX[0]]))
    assert not dataset.multi_label
    assert len(dataset.clips) == 6
    assert dataset.left_out == {"clips that are listed again": 1}


def test_a_clip_may_show_nothing_where_clips_show_several(tmp_path):
    rows = [*(",".join(clip) for clip in SIX), "both.mp4,on;off", *(f"none{n}.mp4," for n in range(3))]
    dataset = listed(tmp_path / "x.csv", "\n".join(rows))
    assert dataset.multi_label
    shown = labels(dataset)
    assert [shown[f"none{n}.mp4", 0.0] for n in range(3)] == [set()] * 3
    assert all(any(clip.labels == () for clip in clips) for clips in dataset.splits.values())


def test_labels_that_differ_in_case_are_one_class(tmp_path):
    rows = [f"{name},{label.upper() if '1' in name else label}" for name, label in SIX]
    dataset = listed(tmp_path / "x.csv", "\n".join(rows))
    assert dataset.classes == ("OFF", "ON")
    assert "'ON' and 'on' are read as one class, 'ON'" in dataset.notes


def test_numbers_are_classes_in_their_order(tmp_path):
    dataset = listed(tmp_path / "x.csv", "\n".join(f"{n}.mp4,{n % 12}" for n in range(36)))
    assert dataset.classes == tuple(map(str, range(12)))


@pytest.mark.parametrize("ending", ["csv", "txt"])
@pytest.mark.parametrize("row", ["clips/{0} {1}", "clips/{0} 120 {1}"])
def test_a_list_of_paths_frames_and_labels(tmp_path, ending, row):
    dataset = listed(tmp_path / f"x.{ending}", "\n".join(row.format(*clip) for clip in SIX))
    assert labels(dataset) == {(name, 0.0): {label} for name, label in SIX}
    assert {clip.path.parent for clip in dataset.clips} == {tmp_path / "clips"}


@pytest.mark.parametrize(("separator", "ending"), [(";", "csv"), ("\t", "csv"), ("\t", "tsv")])
@pytest.mark.parametrize("header", [True, False])
def test_semicolons_and_tabs_of_spreadsheets_separate_cells(tmp_path, separator, ending, header):
    rows = [("path", "label")] * header + SIX
    text = "".join(f"{separator.join(row)}\r\n" for row in rows)
    dataset = listed(tmp_path / f"list.{ending}", text)
    assert not dataset.multi_label
    assert labels(dataset) == {(path, 0.0): {label} for path, label in SIX}


def test_a_comma_is_no_separator_where_semicolons_are(tmp_path):
    """As a spreadsheet writes it where 12.5 is 12,5: it quotes what holds a semicolon itself."""
    rows = [f'a,{number}.mp4;"on;off";12,5;15' for number in range(6)]
    dataset = listed(tmp_path / "list.csv", "\n".join(["path;label;start;end", *rows]))
    assert dataset.multi_label
    assert labels(dataset) == {(f"a,{number}.mp4", 12.5): {"on", "off"} for number in range(6)}
    assert {clip.end_s for clip in dataset.clips} == {15.0}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_list_in_another_encoding_is_to_be_saved_as_utf_8(tmp_path, encoding):
    rows = "\n".join([*(",".join(clip) for clip in SIX), "grün.mp4,on"])
    with pytest.raises(UserError, match="save it as UTF-8") as refused:
        listed(tmp_path / "x.csv", rows, encoding)
    assert "\n" not in str(refused.value)
    assert ("UTF-16" if "16" in encoding else "line 7") in str(refused.value)


def test_backslashes_of_windows_are_slashes(tmp_path, touch):
    rows = [f"my clips\\{label}\\{name},{label}" for name, label in SIX]
    dataset = listed(tmp_path / "x.csv", "\n".join(rows))
    assert tmp_path / "my clips" / "on" / "on0.mp4" in {clip.path for clip in dataset.clips}


def test_a_backslash_in_a_name_that_is_there_is_one(tmp_path, touch):
    touch(tmp_path, *(f"a\\{name}" for name, _ in SIX))
    dataset = listed(tmp_path / "x.csv", "\n".join(f"a\\{name},{label}" for name, label in SIX))
    assert all(clip.path.is_file() for clip in dataset.clips)


def test_a_slash_in_front_means_the_list_s_folder_where_the_files_are_there(tmp_path, touch):
    touch(tmp_path, *(f"train/{name}" for name, _ in SIX))
    dataset = listed(tmp_path / "x.csv", "\n".join(f"/train/{name},{label}" for name, label in SIX))
    assert all(clip.path.is_file() for clip in dataset.clips)


def spellings_of(tmp_path, name):
    """One file: plain, by here, by a folder and back, from the root, and by a link to its folder."""
    return [name, f"./{name}", f".//{name}", f"x/../{name}", str(tmp_path / name), f"link/{name}"]


@pytest.fixture
def spelled(tmp_path, touch):
    touch(tmp_path, *(name for name, _ in SIX), "x/other.mp4")
    (tmp_path / "link").symlink_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize("separator", [",", " "])
@pytest.mark.parametrize("number", range(6))
def test_however_a_file_is_spelled_it_is_the_same_clip_in_the_same_split(spelled, separator, number):
    plain = listed(spelled / "a.csv", "\n".join(separator.join(clip) for clip in SIX))
    rows = [f"{spellings_of(spelled, name)[number]}{separator}{label}" for name, label in SIX]
    other = listed(spelled / "b.csv", "\n".join(rows))
    twice = listed(spelled / "c.csv", "\n".join([*rows, *(separator.join(clip) for clip in SIX)]))
    around = open_dataset(f"{spelled}/x/../b.csv")
    for split, clips in plain.splits.items():
        assert {clip.path for clip in clips} == {clip.path for clip in twice.splits[split]}
        if "link" not in rows[0]:
            assert {clip.path for clip in clips} == {clip.path for clip in other.splits[split]}
            assert {clip.path for clip in clips} == {clip.path for clip in around.splits[split]}
    assert twice.left_out == {"clips that are listed again": 6}


@pytest.mark.parametrize("number", range(1, 6))
def test_labels_and_splits_contradict_each_other_however_a_file_is_spelled(spelled, number):
    rows = [",".join((*clip, "train" if clip[0] == "on0.mp4" else "")) for clip in SIX]
    rows = ["path,label,split", *(row if row[-1] != "," else f"{row}val" for row in rows)]
    again = spellings_of(spelled, "on0.mp4")[number]
    with pytest.raises(UserError, match=r"one class.*on0\.mp4 is listed as 'on' and as 'off'"):
        listed(spelled / "a.csv", "\n".join([*rows, f"{again},off,train"]))
    with pytest.raises(UserError, match=r"one split.*on0\.mp4 is in train and test"):
        listed(spelled / "a.csv", "\n".join([*rows, f"{again},on,test"]))
    for split, path in (("train", "on0.mp4"), ("val", again)):
        (spelled / f"{split}.csv").write_text(f"path,label\n{path},on\noff{split == 'val':d}.mp4,off\n")
    (spelled / "a.csv").unlink()
    with pytest.raises(UserError, match=r"one split.*on0\.mp4 is in train and validation"):
        open_dataset(spelled)


def test_back_from_a_linked_folder_is_where_the_link_leads(tmp_path, touch):
    touch(tmp_path, "elsewhere/inside/a.mp4", "elsewhere/b.mp4", "list/b.mp4")
    (tmp_path / "list" / "link").symlink_to(tmp_path / "elsewhere" / "inside")
    rows = ["link/../b.mp4,on,train", "b.mp4,off,train", "link/a.mp4,on,test", "b.mp4,off,train"]
    dataset = listed(tmp_path / "list" / "x.csv", "\n".join([*rows, *(f"c{n}.mp4,on,val" for n in range(2))]))
    assert {(clip.path, clip.labels) for clip in dataset.train} == {
        (tmp_path / "elsewhere" / "b.mp4", (1,)),
        (tmp_path / "list" / "b.mp4", (0,)),
    }
    assert [clip.path for clip in dataset.test] == [tmp_path / "list" / "link" / "a.mp4"]


@pytest.mark.parametrize("header", ["path,label\n", ""])
@pytest.mark.parametrize("before", [".\\", "x\\..\\"])
def test_paths_of_windows_are_spelled_in_several_ways_as_well(spelled, header, before):
    plain = listed(spelled / "a.csv", "\n".join(",".join(clip) for clip in SIX))
    windows = listed(spelled / "b.csv", header + "\n".join(f"{before}{name},{label}" for name, label in SIX))
    assert {name: set(clips) for name, clips in windows.splits.items()} == {
        name: set(clips) for name, clips in plain.splits.items()
    }
