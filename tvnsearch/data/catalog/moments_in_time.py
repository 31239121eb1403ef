"""Moments in Time: three-second clips of one label, listed in csv files without a header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip, of_known_classes
from tvnsearch.data.catalog.names import Split
from tvnsearch.data.catalog.reading import csv_rows, find_file, malformed, required_file, text_lines

CATEGORIES = "moments_categories.txt"

LISTS: tuple[tuple[Split, str, str], ...] = (
    ("train", "trainingSet.csv", "training"),
    ("validation", "validationSet.csv", "validation"),
)
"""Split, its list, and the folder of its videos. The labels of the test videos are not public."""

_ROW = "`class/file.mp4,class,positive votes,negative votes`"


def read(root: Path, _split: int) -> Listing:
    """Read `moments_categories.txt` (`class,index`) and both lists; the official validation is the test.

    Raises UserError when a file is missing or a line malformed.
    """
    classes = _classes(required_file(root, (), CATEGORIES))
    listed = [
        clip
        for split, name, folder in LISTS
        for clip in _clips(required_file(root, (), name), root / folder, split)
    ]
    return of_known_classes(listed, classes, CATEGORIES, mirrorable=True)


def _classes(path: Path) -> tuple[str, ...]:
    numbered = []
    for line, text in text_lines(path):
        name, _, number = text.rpartition(",")
        if not name or not number.strip().isdecimal():
            raise malformed(path, line, "`class,index`", f"is '{text}'")
        numbered.append((int(number), name.strip()))
    return tuple(name for _, name in sorted(numbered))


def _clips(path: Path, folder: Path, split: Split) -> Iterator[NamedClip]:
    for line, cells in csv_rows(path):
        if len(cells) < 2:
            raise malformed(path, line, _ROW, f"has {len(cells)} columns")
        file, label = cells[:2]
        yield NamedClip(folder / file, (label,), split)


FORMAT = Format("moments-in-time", lambda root: find_file(root, (), CATEGORIES) is not None, read)
