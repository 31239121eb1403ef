"""The format of a list: a csv file of `path,label[;label...][,split]`, with or without a header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.assembly import SPLIT_NAMES, Format, Listing, NamedClip, is_video
from tvnsearch.data.catalog.reading import csv_rows, malformed
from tvnsearch.errors import UserError

CSV_NAME = "clips.csv"
"""The list of a folder that holds one."""

_ROW = "`path,label[;label...]` with an optional third column for the split"


def read(root: Path, _split: int) -> Listing:
    """Read a csv list, or the `clips.csv` of a folder.

    Paths are relative to the list; a header is a first row whose first cell is `path`. A listed file that
    does not exist is a broken clip and is told of when the clips are decoded.

    Raises UserError for a malformed row, with its line number.
    """
    path = root / CSV_NAME if root.is_dir() else root
    clips = list(_clips(path))
    if not clips:
        raise UserError(
            f"expected rows `path,label` in {path}, but it lists no clip; add a row for each clip"
        )
    return Listing(clips)


def _clips(path: Path) -> Iterator[NamedClip]:
    columns = 0
    for line, cells in csv_rows(path):
        if columns == 0 and cells[0].lower() == "path":
            continue
        columns = columns or len(cells)
        yield _clip(path, line, cells, columns)


def _clip(path: Path, line: int, cells: list[str], columns: int) -> NamedClip:
    if len(cells) not in (2, 3):
        raise malformed(path, line, _ROW, f"has {len(cells)} columns")
    if len(cells) != columns:
        raise malformed(path, line, _ROW, f"has {len(cells)} columns where the lines before have {columns}")
    if not is_video(Path(cells[0])):
        raise malformed(path, line, _ROW, f"names '{cells[0]}', which is no video file")
    labels = tuple(label.strip() for label in cells[1].split(";") if label.strip())
    if not labels:
        raise malformed(path, line, _ROW, "has no label")
    if columns == 2:
        return NamedClip(path.parent / cells[0], labels)
    if cells[2].lower() not in SPLIT_NAMES:
        known = ", ".join(SPLIT_NAMES)
        raise malformed(path, line, _ROW, f"has the split '{cells[2]}', which is not one of {known}")
    return NamedClip(path.parent / cells[0], labels, SPLIT_NAMES[cells[2].lower()])


def _recognises(root: Path) -> bool:
    return (root / CSV_NAME).is_file() if root.is_dir() else root.suffix.lower() == ".csv"


FORMAT = Format("csv", _recognises, read)
