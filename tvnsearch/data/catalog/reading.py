"""What the formats share in reading the lists of a data set: lines, csv and JSON, and where files are."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from tvnsearch.errors import UserError

_Document = TypeVar("_Document")

LOOKED_AT = 50
"""Of a list's files, to see which folder they are relative to."""


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


def spelled(folder: Path) -> dict[str, str]:
    """The names in a folder by what they may be called: themselves, and the same in small letters.

    Empty where there is no such folder.
    """
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return {name.casefold(): name for name in names} | {name: name for name in names}


def placed(names: Sequence[str], folders: Sequence[Path]) -> list[Path]:
    """The files that a list names, relative to the first of `folders` that has one of the first few.

    Where no file is called so, backslashes are those of Windows, and a slash in front means the folder.
    """
    crossed = [name for name in names if "\\" in name][:LOOKED_AT]
    if crossed and _holder(crossed, folders) is None:
        names = [name.replace("\\", "/") for name in names]
    some = names[:LOOKED_AT]
    holder = _holder(some, folders)
    if holder is None and all(name.startswith("/") for name in some):
        holder = _holder([name.lstrip("/") for name in some], folders)
        names = [name.lstrip("/") for name in names] if holder else names
    base = holder or folders[0]
    return [Path(name if name.startswith("/") else f"{base}/{name}") for name in names]


def spelled_once(paths: Sequence[Path], base: Path) -> list[Path]:
    """The same files, all that are in one folder by the same path to it: one below `base` where there is one.

    So a file is one clip, whether it is listed as `a.mp4`, `x/../a.mp4` or with all that is before it. A link
    to a file stays a file of its own.
    """
    parents = [str(path).rpartition("/")[0] for path in paths]  # a Path a file is slow
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    real = {folder: os.path.realpath(folder or "/") for folder in dict.fromkeys(parents)}
    for folder, where in real.items():
        plain = os.path.normpath(folder or "/")
        # What `..` leads to behind a link to a folder is not what it is written after.
        spellings[where].add(plain if os.path.realpath(plain) == where else where)
    chosen = {
        where: min(spelled, key=lambda folder: (not Path(folder).is_relative_to(base), folder))
        for where, spelled in spellings.items()
    }
    spelling = {folder: chosen[where] for folder, where in real.items()}
    return [
        path if spelling[folder] == folder else Path(spelling[folder], path.name)
        for path, folder in zip(paths, parents, strict=True)
    ]


def _holder(names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    return next((folder for folder in folders if any(_is_there(folder / name) for name in names)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or a folder that may not be opened
        return False


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1, stripped of white space.

    Raises UserError when it cannot be read as UTF-8.
    """
    for number, line in enumerate(_text(path, "a text file").splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def csv_rows(path: Path, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv file that are not blank, with the numbers of their lines; cells are stripped.

    Raises UserError when it cannot be read as csv in UTF-8.
    """
    try:
        rows = csv.reader(io.StringIO(_text(path, "a csv file"), newline=""), delimiter=separator)
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield rows.line_num, cells
    except csv.Error as error:
        raise _unreadable(path, "a csv file", error) from error


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
    expected = "a JSON file as the data set has it"
    try:
        return msgspec.json.decode(_text(path, expected), type=kind)
    except msgspec.DecodeError as error:
        raise _unreadable(path, expected, error) from error


def malformed(path: Path, line: int, expected: str, what: str) -> UserError:
    """A sentence about one line of a list."""
    return UserError(f"expected {expected} in {path}, but line {line} {what}; correct that line")


def _text(path: Path, expected: str) -> str:
    """A whole file of text in UTF-8, with or without a mark of that at its beginning.

    Raises UserError when it cannot be read, or is in another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, expected, error) from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise _encoded(path, expected, "looks like UTF-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _encoded(path, expected, f"is in another encoding, as line {line} shows") from None


def _encoded(path: Path, expected: str, what: str) -> UserError:
    return UserError(
        f"expected {expected} in UTF-8 at {path}, but it {what}; save it as UTF-8 "
        "(in a spreadsheet as `CSV UTF-8`, in an editor by its encoding)"
    )


def _unreadable(path: Path, expected: str, error: Exception) -> UserError:
    return UserError(
        f"expected {expected} at {path}, but reading it failed: {error}; restore it from where it came"
    )
