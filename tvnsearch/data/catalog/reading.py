"""What the formats share in reading the lists of a data set: lines, csv and JSON, and where files are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from tvnsearch.errors import UserError

_Document = TypeVar("_Document")


def find_file(root: Path, folders: Sequence[str], name: str) -> Path | None:
    """The file called `name` in `root` or in one of its `folders`; None when it is in none of them."""
    candidates = (folder / name for folder in (root, *(root / folder for folder in folders)))
    return next((path for path in candidates if path.is_file()), None)


def required_file(root: Path, folders: Sequence[str], name: str) -> Path:
    """The same for a file that has to be there.

    Raises UserError when it is not.
    """
    path = find_file(root, folders, name)
    if path is None:
        inside = "".join(f" or {folder}/" for folder in folders)
        raise UserError(
            f"expected the file {name} in {root}{inside and f' (itself{inside})'}, but it is not there; "
            "give the folder that the data set was unpacked to"
        )
    return path


def find_folder(root: Path, folders: Iterable[str]) -> Path:
    """The first of `folders` that `root` has; where it has none of them, `root` itself."""
    return next((root / folder for folder in folders if (root / folder).is_dir()), root)


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1, stripped of white space.

    Raises UserError when it cannot be read as UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, "a text file in UTF-8", error) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv file that are not blank, with the numbers of their lines; cells are stripped.

    Raises UserError when it cannot be read as csv in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            for row in rows:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield rows.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, "a csv file in UTF-8", error) from error


def csv_records(path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below a header, by its columns; cells that a row lacks at its end are empty.

    Raises UserError when a column of `required` is missing, or a row's cell in the first of them is empty.
    """
    rows = csv_rows(path)
    line, header = next(rows, (1, []))
    missing = [column for column in required if column not in header]
    if missing:
        raise malformed(path, line, f"a header with {','.join(required)}", f"lacks {','.join(missing)}")
    for line, cells in rows:
        record = dict.fromkeys(header, "") | dict(zip(header, cells, strict=False))
        if not record[required[0]]:
            raise malformed(path, line, f"a row with {','.join(required)}", f"has no {required[0]}")
        yield line, record


def json_document(path: Path, kind: type[_Document]) -> _Document:
    """A JSON file as `kind`.

    Raises UserError, which names the place in the document, when it is not of that kind.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path, "a JSON file as the data set has it", error) from error


def malformed(path: Path, line: int, expected: str, what: str) -> UserError:
    """A sentence about one line of a list."""
    return UserError(f"expected {expected} in {path}, but line {line} {what}; correct that line")


def _unreadable(path: Path, expected: str, error: Exception) -> UserError:
    return UserError(
        f"expected {expected} at {path}, but reading it failed: {error}; restore it from where it came"
    )
