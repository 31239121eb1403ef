"""What a user gives as `--data`: a path, and before it the name of a format if that is to be said."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from tvnsearch.data.catalog import (
    charades,
    class_folders,
    csv_list,
    hmdb51,
    kinetics,
    mlb_youtube,
    moments_in_time,
    something_something,
    ucf101,
)
from tvnsearch.data.catalog.listing import Format
from tvnsearch.errors import UserError

FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        moments_in_time.FORMAT,
        kinetics.FORMAT,
        something_something.FORMAT,
        hmdb51.FORMAT,
        ucf101.FORMAT,
        charades.FORMAT,
        mlb_youtube.SEGMENTED_FORMAT,
        mlb_youtube.CONTINUOUS_FORMAT,
        csv_list.FORMAT,
        class_folders.FORMAT,
    )
}

_PREFIX = re.compile(r"([a-z][a-z0-9-]*?)(?:-split(\d+))?:(.+)", re.DOTALL)


class Address(Struct, frozen=True):
    """Where a data set is, which format it is read as, and which of the format's splits is meant."""

    path: Path
    format: Format
    split: int = 1

    @property
    def name(self) -> str:
        """The format and, where it has several, the split: what stands before the colon."""
        return f"{self.format.name}-split{self.split}" if self.format.splits > 1 else self.format.name


def parse_address(text: str | Path) -> Address:
    """Read `PATH`, `FORMAT:PATH` or `FORMAT-splitN:PATH`; without a format it is recognised.

    What exists under the whole text is a path, so that a folder may be called "a:b".

    Raises UserError when the format or its split is not known, or nothing is at the path.
    """
    path = _absolute(text)
    match = _PREFIX.fullmatch(str(text))
    if path.exists() or match is None:
        return Address(path, _recognised(_existing(path)))
    name, split, rest = match.groups()
    if name not in FORMATS:
        raise UserError(
            f"expected a format among {', '.join(FORMATS)} before the colon, got '{name}', and nothing is at "
            f"{path}; correct the format or the path"
        )
    known, number = FORMATS[name], int(split or 1)
    if not 1 <= number <= known.splits:
        raise UserError(
            f"expected a split from 1 to {known.splits} of {name}, got {number}; "
            + (f"give for example {name}-split1:{rest}" if known.splits > 1 else f"give {name}:{rest}")
        )
    return Address(_existing(_absolute(rest)), known, number)


def _absolute(text: str | Path) -> Path:
    """The path from the root, without `..`, so that the paths of clips are known to be below it."""
    path = Path(text).expanduser().absolute()
    return path.resolve() if ".." in path.parts else path


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UserError(
            f"expected a folder of clips or a .csv list, but nothing is at {path}; check the path to the data"
        )
    return path


def _recognised(path: Path) -> Format:
    """The format whose own files are there; a folder that has none of them is one of class folders."""
    found = [
        known for known in FORMATS.values() if known is not class_folders.FORMAT and known.recognises(path)
    ]
    if len(found) > 1:
        names = " and ".join(known.name for known in found)
        raise UserError(
            f"expected one data set at {path}, but there are files of {names}; "
            f"say which is meant, for example {found[0].name}:{path}"
        )
    if not found and not path.is_dir():
        raise UserError(
            f"expected a folder of class folders or a .csv list of clips, but {path} is neither; "
            "give the folder that holds the clips"
        )
    return found[0] if found else class_folders.FORMAT
