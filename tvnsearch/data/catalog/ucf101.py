"""UCF101: a folder of avi files for each class, numbered from 1, and two lists for each split."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip, of_known_classes
from tvnsearch.data.catalog.names import Split, class_key, recording_named
from tvnsearch.data.catalog.reading import (
    find_file,
    find_folder,
    malformed,
    required_file,
    spelled,
    text_lines,
)

CLASSES = "classInd.txt"
LIST_FOLDERS = ("ucfTrainTestlist", "splits", "annotations")
VIDEO_FOLDERS = ("UCF-101", "videos")


def read(root: Path, split: int) -> Listing:
    """Read `classInd.txt`, `trainlist0<split>.txt` and `testlist0<split>.txt`.

    A class may be spelled in other capitals in each of these and on disk, as HandstandPushups is.

    Raises UserError when a file is missing or a line malformed.
    """
    classes = _classes(required_file(root, LIST_FOLDERS, CLASSES))
    videos = find_folder(root, VIDEO_FOLDERS)
    train = required_file(root, LIST_FOLDERS, f"trainlist{split:02}.txt")
    test = required_file(root, LIST_FOLDERS, f"testlist{split:02}.txt")
    clips = [*_clips(train, videos, "train", classes), *_clips(test, videos, "test", classes)]
    return of_known_classes(clips, tuple(classes), CLASSES, mirrorable=True)


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
    names, folders = {class_key(name): name for name in classes}, spelled(videos)

    @cache
    def files(folder: str) -> dict[str, str]:
        return spelled(videos / folder)

    for line, text in text_lines(path):
        listed, _, rest = text.replace("\\", "/").partition("/")
        file, _, number = rest.partition(" ")
        if not listed or not file:
            raise malformed(path, line, "`class/file.avi`", f"is '{text}'")
        name = names.get(class_key(listed), listed)
        if number and name in classes and number.strip() != str(classes[name]):
            raise malformed(
                path, line, f"the numbers of {CLASSES}", f"gives {name} the number {number.strip()}"
            )
        folder = folders.get(listed) or folders.get(listed.casefold(), listed)
        there = files(folder)
        file = there.get(file) or there.get(file.casefold(), file)
        yield NamedClip(videos / folder / file, (name,), split, recording=recording_named(file))


FORMAT = Format("ucf101", lambda root: find_file(root, LIST_FOLDERS, CLASSES) is not None, read, splits=3)
