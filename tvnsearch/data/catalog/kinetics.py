"""Kinetics 400, 600 and 700: as its csv files list it, as lists of `path label`, or as class folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tvnsearch.data.catalog import class_folders
from tvnsearch.data.catalog.assembly import VIDEO_EXTENSIONS, Format, Listing, NamedClip, Split
from tvnsearch.data.catalog.reading import (
    csv_records,
    csv_rows,
    find_file,
    find_folder,
    malformed,
    text_lines,
)

LIST_FOLDERS = ("annotations",)

SPLITS: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("val", "validate", "validation"),
    "test": ("test",),
}
"""The names that each split has, as a list and as a folder."""

COLUMNS = ("label", "youtube_id", "time_start", "time_end")

_ENDINGS = "|".join(re.escape(extension) for extension in sorted(VIDEO_EXTENSIONS))
_LISTED = re.compile(rf"(.+(?:{_ENDINGS}))\s*[\s,]\s*(\S.*)", re.IGNORECASE)
"""A path, which may hold spaces and commas, and a label, with a space or a comma between them."""


def read(root: Path, _split: int) -> Listing:
    """Read `train.csv` and `val.csv`, lists of `path label` in `.txt` or `.csv`, or else class folders.

    The official validation is the test; the official test has no labels. Of lists, all three are read.

    Raises UserError when a line is malformed.
    """
    train = _list(root, "train")
    if train is None:
        folders = class_folders.read(root, 1)
        return Listing(folders.clips, mirrorable=True)
    if _has_header(train):
        return _read_official(root)
    return _read_lists(root)


def _list(root: Path, split: Split) -> Path | None:
    names = (f"{name}{suffix}" for name in SPLITS[split] for suffix in (".csv", ".txt"))
    return next((path for name in names if (path := find_file(root, LIST_FOLDERS, name))), None)


def _has_header(path: Path) -> bool:
    _, first = next(csv_rows(path), (1, [""]))
    return set(COLUMNS) <= set(first)


def _read_official(root: Path) -> Listing:
    clips: list[NamedClip] = []
    classes: tuple[str, ...] = ()
    for split in ("train", "validation"):
        path = _list(root, split)
        if path is None:
            continue
        listed = list(_official_clips(root, path, split))
        classes = classes or tuple(sorted({label for _, _, label in listed}))
        for line, clip_path, label in listed:
            if label not in classes:
                raise malformed(path, line, "a label of the train list", f"has the label '{label}'")
            clips.append(NamedClip(clip_path, (label,), split))
    return Listing(clips, classes, multi_label=False, mirrorable=True)


def _official_clips(root: Path, path: Path, split: Split) -> Iterator[tuple[int, Path, str]]:
    """Line, file and label of each clip: `<split>/<label>/<youtube_id>_<start>_<end>.mp4`."""
    videos = find_folder(root, SPLITS[split])

    @cache
    def folder(label: str) -> Path:
        return find_folder(videos, (label, label.replace(" ", "_")))

    for line, record in csv_records(path, COLUMNS):
        try:
            start_s, end_s = (int(float(record[name])) for name in ("time_start", "time_end"))
        except ValueError:
            times = f"{record['time_start']}' to '{record['time_end']}"
            raise malformed(path, line, "whole seconds as times", f"has '{times}'") from None
        label = record["label"]
        yield line, folder(label) / f"{record['youtube_id']}_{start_s:06}_{end_s:06}.mp4", label


def _read_lists(root: Path) -> Listing:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    lists = [(split, path) for split in splits if (path := _list(root, split))]
    clips = [clip for split, path in lists for clip in _listed_clips(path, split)]
    labels = {label for clip in clips for label in clip.labels}
    numbers = all(label.isdecimal() for label in labels)
    classes = tuple(sorted(labels, key=int) if numbers else sorted(labels))
    return Listing(clips, classes, multi_label=False, mirrorable=True)


def _listed_clips(path: Path, split: Split) -> Iterator[NamedClip]:
    for line, text in text_lines(path):
        match = _LISTED.fullmatch(text)
        if match is None:
            raise malformed(path, line, "`path label`", f"is '{text}'")
        yield NamedClip(path.parent / match[1], (match[2],), split)


def _recognises(root: Path) -> bool:
    path = _list(root, "train")
    if path is None:
        return False
    _, first = next(text_lines(path), (1, ""))
    return _has_header(path) or _LISTED.fullmatch(first) is not None


FORMAT = Format("kinetics", _recognises, read)
