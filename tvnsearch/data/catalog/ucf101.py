"""UCF101: a folder of avi files for each class, numbered from 1, and two lists for each split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.assembly import Format, Listing, NamedClip, Split
from tvnsearch.data.catalog.reading import find_file, find_folder, malformed, required_file, text_lines

CLASSES = "classInd.txt"
LIST_FOLDERS = ("ucfTrainTestlist", "splits", "annotations")
VIDEO_FOLDERS = ("UCF-101", "videos")


def read(root: Path, split: int) -> Listing:
    """Read `classInd.txt`, `trainlist0<split>.txt` and `testlist0<split>.txt`.

    Raises UserError when a file is missing or a line malformed.
    """
    classes = _classes(required_file(root, LIST_FOLDERS, CLASSES))
    videos = find_folder(root, VIDEO_FOLDERS)
    train = required_file(root, LIST_FOLDERS, f"trainlist{split:02}.txt")
    test = required_file(root, LIST_FOLDERS, f"testlist{split:02}.txt")
    clips = [*_clips(train, videos, "train", classes), *_clips(test, videos, "test", classes)]
    return Listing(clips, tuple(classes), multi_label=False, mirrorable=True)


def _classes(path: Path) -> dict[str, int]:
    numbers = {}
    for line, text in text_lines(path):
        number, _, name = text.partition(" ")
        if not number.isdecimal() or not name:
            raise malformed(path, line, "`number class`", f"is '{text}'")
        numbers[name.strip()] = int(number)
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def _clips(path: Path, videos: Path, split: Split, classes: dict[str, int]) -> Iterator[NamedClip]:
    """The clips of a list: `class/file.avi number` to train with, `class/file.avi` to test with."""
    for line, text in text_lines(path):
        name, _, rest = text.partition("/")
        file, _, number = rest.partition(" ")
        if name not in classes or not file:
            raise malformed(path, line, f"`class/file.avi` with a class of {CLASSES}", f"is '{text}'")
        if number and number.strip() != str(classes[name]):
            raise malformed(
                path, line, f"the numbers of {CLASSES}", f"gives {name} the number {number.strip()}"
            )
        # "v_<class>_g<recording>_c<number>.avi": clips of one group are cut from one recording.
        yield NamedClip(videos / name / file, (name,), split, source=file.rpartition("_c")[0])


FORMAT = Format("ucf101", lambda root: find_file(root, LIST_FOLDERS, CLASSES) is not None, read, splits=3)
