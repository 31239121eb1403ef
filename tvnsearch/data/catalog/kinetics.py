"""Kinetics 400, 600 and 700: as its csv files list it, as lists of `path label`, or as class folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from tvnsearch.data.catalog import class_folders
from tvnsearch.data.catalog.listed_lines import is_listed, listed_clips
from tvnsearch.data.catalog.listing import Format, Listing, NamedClip, of_known_classes
from tvnsearch.data.catalog.names import SPLIT_NAMES, Split, split_named
from tvnsearch.data.catalog.reading import csv_records, csv_rows, find_folder, malformed, text_lines

LIST_FOLDERS = ("annotations",)

SPLITS: tuple[Split, ...] = ("train", "validation", "test")

COLUMNS = ("label", "youtube_id", "time_start", "time_end")

_AROUND = re.compile(r"^(?:kinetics|k)[-_]?\d*[-_]|[-_]list(?:[-_]videos)?$")
"""What others put around the name of a split: `kinetics_train.csv`, `kinetics400_val_list_videos.txt`."""


def read(root: Path, _split: int) -> Listing:
    """Read `train.csv` and `val.csv`, lists of `path label` in `.txt` or `.csv`, or else class folders.

    The official validation is the test; the official test has no labels. Of lists, all three are read.

    Raises UserError when a line is malformed.
    """
    lists = _lists(root)
    if "train" not in lists:
        return replace(class_folders.read(root, 1), mirrorable=True)
    if _has_header(lists["train"]):
        return _read_official(root, lists)
    folders = _split_folders(root)
    listed = [
        (split, path, (path.parent, root, *folders.get(split, ()), root / "videos"))
        for split, path in lists.items()
    ]
    return Listing(listed_clips(listed), multi_label=False, mirrorable=True)


def _lists(root: Path) -> dict[Split, Path]:
    """The list of each split that has one: of several a `.csv`, and of these the one of the shortest name."""
    found: dict[Split, Path] = {}
    for folder in (root, *(root / name for name in LIST_FOLDERS)):
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.lower().endswith((".csv", ".txt"))]
        for name in sorted(names, key=lambda name: (name.lower()[-4:], len(name), name)):
            split = SPLIT_NAMES.get(_AROUND.sub("", name[:-4].lower()))
            if split:
                found.setdefault(split, folder / name)
    return {split: found[split] for split in SPLITS if split in found}


def _split_folders(root: Path) -> dict[Split, list[Path]]:
    """The folders of each split's videos: `train`, `videos_train`."""
    found: dict[Split, list[Path]] = {}
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            split = split_named(entry.name)
            if split and entry.is_dir():
                found.setdefault(split, []).append(root / entry.name)
    return found


def _has_header(path: Path) -> bool:
    _, first = next(csv_rows(path), (1, [""]))
    return set(COLUMNS) <= set(first)


def _read_official(root: Path, lists: dict[Split, Path]) -> Listing:
    folders = _split_folders(root)
    clips = [
        clip
        for split in ("train", "validation")
        if split in lists
        for clip in _official_clips(lists[split], folders.get(split, [root])[0], split)
    ]
    classes = tuple(sorted({label for clip in clips if clip.split == "train" for label in clip.labels}))
    listing = of_known_classes(clips, classes, lists["train"].name, mirrorable=True)
    if "test" not in lists:
        return listing
    rows = sum(1 for _ in csv_rows(lists["test"]))
    unread = {f"clips of {lists['test'].name}, which is not read": max(rows - 1, 0)}
    return replace(listing, left_out=listing.left_out | unread)


def _official_clips(path: Path, videos: Path, split: Split) -> Iterator[NamedClip]:
    """The clips of a list, `<split>/<label>/<youtube_id>_<start>_<end>.mp4`."""

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
        file = folder(label) / f"{record['youtube_id']}_{start_s:06}_{end_s:06}.mp4"
        yield NamedClip(file, (label,), split)


def _recognises(root: Path) -> bool:
    path = _lists(root).get("train")
    if path is None:
        return False
    _, first = next(text_lines(path), (1, ""))
    return _has_header(path) or is_listed(first)


FORMAT = Format("kinetics", _recognises, read)
