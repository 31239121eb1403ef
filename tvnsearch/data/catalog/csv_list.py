"""The layout of a list: a csv file of `path,label[;label...][,split]`, with or without a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.assembly import SPLIT_NAMES, NamedClip, assemble, is_video
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError


def open_csv_list(path: Path, seed: int) -> Dataset:
    """Open a csv list. Paths are relative to the list; a header is a first row whose first cell is `path`.

    The data set is multi-label when any row has more than one label. A listed file that does not exist is a
    broken clip and is told of when the clips are decoded.

    Raises UserError for a malformed row, with its line number, and when the clips do not make a data set.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            named_clips = list(_named_clips(path, file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"expected a csv file in UTF-8 at {path}, but reading it failed: {error}; save it again"
        ) from error
    if not named_clips:
        raise UserError(
            f"expected rows `path,label` in {path}, but it lists no clip; add a row for each clip"
        )
    return assemble(path, named_clips, seed)


def _named_clips(path: Path, lines: Iterator[str]) -> Iterator[NamedClip]:
    rows = csv.reader(lines)
    columns = 0
    for row in rows:
        cells = [cell.strip() for cell in row]
        if not any(cells) or (columns == 0 and cells[0].lower() == "path"):
            continue
        columns = columns or len(cells)
        yield _named_clip(path, rows.line_num, cells, columns)


def _named_clip(path: Path, line: int, cells: list[str], columns: int) -> NamedClip:
    def malformed(what: str) -> UserError:
        return UserError(
            f"expected `path,label[;label...]` with an optional third column for the split in {path}, "
            f"but line {line} {what}; correct that line"
        )

    if len(cells) not in (2, 3):
        raise malformed(f"has {len(cells)} columns")
    if len(cells) != columns:
        raise malformed(f"has {len(cells)} columns where the lines before have {columns}")
    if not is_video(Path(cells[0])):
        raise malformed(f"names '{cells[0]}', which is no video file")
    labels = tuple(label.strip() for label in cells[1].split(";") if label.strip())
    if not labels:
        raise malformed("has no label")
    if columns == 2:
        return NamedClip(path.parent / cells[0], labels)
    if cells[2].lower() not in SPLIT_NAMES:
        raise malformed(f"has the split '{cells[2]}', which is not one of {', '.join(SPLIT_NAMES)}")
    return NamedClip(path.parent / cells[0], labels, SPLIT_NAMES[cells[2].lower()])
