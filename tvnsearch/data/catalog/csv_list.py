"""The format of a list: a csv file of `path,label[;label...][,split]`, with or without a header."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.data.catalog.listed_lines import is_listed, listed_clips
from tvnsearch.data.catalog.listing import Format, Listing, NamedClip
from tvnsearch.data.catalog.names import SPLIT_NAMES, Split, is_video, some_of, split_named
from tvnsearch.data.catalog.reading import csv_rows, malformed, placed, spelled_once
from tvnsearch.errors import UserError

CSV_NAME = "clips.csv"
"""The list of a folder that holds one."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "video_path", "clip_path", "file_path", "filepath", "filename", "file_name"),
        *("file", "video", "video_file", "video_name", "clip", "clip_name"),
    ),
    "label": (
        *("label", "labels", "class", "classes", "class_name", "label_name", "category", "categories"),
        *("action", "actions", "tag", "tags"),
    ),
    "split": ("split", "subset", "set", "partition"),
    "recording": ("recording",),
    "start": ("start", "start_s", "start_time", "time_start"),
    "end": ("end", "end_s", "end_time", "time_end"),
}
"""What a column may be called in a header; of several for the same thing, the first of these is read."""

_INDEX = ("", "index", "unnamed: 0")
"""What pandas writes in front of the rows is read past without a word."""

SEPARATORS = (";", "\t")
"""What spreadsheets put between cells where numbers are written with commas, and in `.tsv`."""

_ROW = "`path,label[;label...]` with an optional third column for the split"


class _Table(Struct, frozen=True):
    """A list that was read: where what is in a row, the rows with their lines, and columns not read."""

    path: Path
    split: Split | None
    column: dict[str, int]
    rows: list[tuple[int, list[str]]]
    unread: list[str]

    def cell(self, row: Sequence[str], what: str) -> str:
        """What a row says; nothing where there is no such column."""
        return row[self.column[what]] if what in self.column else ""


def read(root: Path, _split: int) -> Listing:
    """Read a csv list, the `clips.csv` of a folder, or its `train.csv`, `val.csv` and `test.csv`.

    A header is a first row that names a column of paths (`COLUMNS`); without one, rows are
    `path,label[,split]`. Paths are relative to the list, or to a folder beside it that is called after its
    split, `videos` or `clips`. A listed file that does not exist is a broken clip and is told of when the
    clips are decoded. A list has clips of several labels once a cell of labels holds a `;`: then a clip may
    have no label, and what several rows say of one is put together. Semicolons and tabs separate cells where
    there is no comma in the first row. A list of `path label` or `path frames label` is read as well.

    Raises UserError for a malformed row, with its line number.
    """
    lists = _lists(root)
    if all(_is_plain(path) for _, path in lists):
        return Listing(listed_clips([(split, path, _folders(path, split)) for split, path in lists]))
    tables = [_table(path, split) for split, path in lists]
    left_out: Counter[str] = Counter()
    labelled: list[_Table] = []
    for table in tables:
        if "label" in table.column:
            labelled.append(table)
        elif table.split in (None, "train"):
            raise malformed(table.path, 1, "a header with path,label (or class, category)", "lacks label")
        else:
            left_out[f"clips of {table.path.name}, which has no labels"] += len(table.rows)
    if not any(table.rows for table in labelled):
        path = lists[0][1]
        raise UserError(
            f"expected rows `path,label` in {path}, but it lists no clip; add a row for each clip"
        )
    multi_label = any(";" in table.cell(row, "label") for table in labelled for _, row in table.rows)
    clips = [clip for table in labelled for clip in _clips(table, multi_label)]
    paths = spelled_once([clip.path for clip in clips], lists[0][1].parent)
    clips = [replace(clip, path=path) for clip, path in zip(clips, paths, strict=True)]
    notes = [
        f"columns of {table.path.name} that are not read: {some_of(table.unread)}"
        for table in labelled
        if table.unread
    ]
    return Listing(clips, multi_label=multi_label, left_out=left_out, notes=tuple(notes))


def _lists(root: Path) -> list[tuple[Split | None, Path]]:
    """The lists at a path, each with the split that it is called after."""
    if not root.is_dir():
        return [(None, root)]
    if (root / CSV_NAME).is_file():
        return [(None, root / CSV_NAME)]
    named = _named_after_splits(root)
    if not named:
        raise UserError(
            f"expected the list {CSV_NAME}, or train.csv and val.csv, in {root}, but neither is there; "
            "give the list itself"
        )
    return [(split, path) for path, split in named.items()]


def _named_after_splits(root: Path) -> dict[Path, Split]:
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.name.lower().endswith(".csv"))
    return {root / name: split for name in names if (split := SPLIT_NAMES.get(name[:-4].lower()))}


def _is_plain(path: Path) -> bool:
    _, first = next(csv_rows(path), (1, [""]))
    return len(first) == 1 and is_listed(first[0])


def _folders(path: Path, split: Split | None) -> list[Path]:
    """What the paths of a list may be relative to."""
    with os.scandir(path.parent) as entries:
        names = sorted(entry.name for entry in entries if split and split_named(entry.name) == split)
    return [path.parent, *(path.parent / name for name in (*names, "videos", "clips"))]


def _table(path: Path, split: Split | None) -> _Table:
    rows = _rows(path)
    line, first = rows[0] if rows else (1, ["path", "label"])
    column = _titled(first)
    if column:
        unread = [
            cell
            for number, cell in enumerate(first)
            if number not in column.values() and cell.lower() not in _INDEX
        ]
        below = [(line, _cells(path, line, row, column["path"], len(first))) for line, row in rows[1:]]
        return _Table(path, split, column, below, unread)
    before = 1 if len(first) > 2 and first[0].isdecimal() and is_video(first[1]) else 0
    named = ("path", "label", "split")[: len(first) - before]
    if len(first) - before not in (2, 3):
        raise malformed(path, line, _ROW, f"has {len(first)} columns")
    below = [(line, _cells(path, line, row, before, len(first))) for line, row in rows]
    return _Table(path, split, {what: before + number for number, what in enumerate(named)}, below, [])


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    rows = list(csv_rows(path))
    if rows and len(rows[0][1]) == 1:
        for separator in SEPARATORS:
            others = list(csv_rows(path, separator))
            first = others[0][1]
            if len(first) > 1 and (_titled(first) or any(map(is_video, first))):
                return others
    return rows


def _titled(first: list[str]) -> dict[str, int]:
    """Where what is in the rows below a header; nothing where the first row is none."""
    titles = [cell.lower().replace(" ", "_").replace("-", "_") for cell in first]
    column = {
        what: titles.index(known[0])
        for what, names in COLUMNS.items()
        if (known := [name for name in names if name in titles])
    }
    return column if "path" in column and not any(map(is_video, first)) else {}


def _clips(table: _Table, multi_label: bool) -> Iterator[NamedClip]:
    paths = placed([table.cell(row, "path") for _, row in table.rows], _folders(table.path, table.split))
    for path, (line, row) in zip(paths, table.rows, strict=True):
        labels = tuple(label.strip() for label in table.cell(row, "label").split(";") if label.strip())
        if not labels and not multi_label:
            raise malformed(
                table.path, line, _ROW, "has no label, which it may have only where others have several"
            )
        start_s, end_s = _time_s(table, line, row, "start") or 0.0, _time_s(table, line, row, "end")
        if end_s is not None and end_s <= start_s:
            raise malformed(table.path, line, "an end after its start", f"is from {start_s:g} to {end_s:g} s")
        split = _split_of(table, line, row)
        yield NamedClip(path, labels, split, start_s, end_s, table.cell(row, "recording"))


def _cells(path: Path, line: int, row: list[str], path_column: int, width: int) -> list[str]:
    """The cells of a row, without empty ones at its end that the first row has not."""
    cells = row if any(row[width:]) else row[:width]
    if len(cells) != width:
        raise malformed(path, line, _ROW, f"has {len(cells)} columns where the lines before have {width}")
    if not is_video(cells[path_column]):
        raise malformed(path, line, _ROW, f"names '{cells[path_column]}', which is no video file")
    return cells


def _split_of(table: _Table, line: int, row: list[str]) -> Split | None:
    if "split" not in table.column:
        return table.split
    name = table.cell(row, "split")
    split = split_named(name) if name else table.split
    if split is None:
        known = ", ".join(SPLIT_NAMES)
        raise malformed(table.path, line, _ROW, f"has the split '{name}', which is not one of {known}")
    return split


def _time_s(table: _Table, line: int, row: list[str], what: str) -> float | None:
    text = table.cell(row, what)
    if not text:
        return None
    try:
        time_s = float(text.replace(",", "."))
    except ValueError:
        time_s = math.nan
    if not 0 <= time_s < math.inf:
        raise malformed(table.path, line, f"seconds as its {what}", f"has '{text}'")
    return time_s


def _recognises(root: Path) -> bool:
    if not root.is_dir():
        return root.suffix.lower() in (".csv", ".tsv", ".txt")
    if (root / CSV_NAME).is_file():
        return True
    trained = [path for path, split in _named_after_splits(root).items() if split == "train"]
    return any(_titled(first) for path in trained for _, first in _rows(path)[:1])


FORMAT = Format("csv", _recognises, read)
