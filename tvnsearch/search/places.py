"""Where a user's files are, said so that it means the same from any folder."""

from __future__ import annotations

import re
from pathlib import Path

from tvnsearch.genome.space import PRESETS

_OF_A_FORMAT = re.compile(r"([a-z][a-z0-9-]*:)(.+)", re.DOTALL)
"""What stands before the colon is the name of a format, unless the whole is a path that is there."""


def absolute_path(path: str) -> str:
    """A path from the root, which need not exist; ~ is this user's folder."""
    return str(Path(path).expanduser().absolute())


def absolute_address(address: str) -> str:
    """The address of a data set: a path, or the name of a format and a path."""
    found = _OF_A_FORMAT.fullmatch(address)
    if found is None or Path(address).expanduser().exists():
        return absolute_path(address)
    return found[1] + absolute_path(found[2])


def absolute_space(space: str) -> str:
    """The name of a search space as it is, or the path of its file."""
    return absolute_path(space) if space not in PRESETS and Path(space).is_file() else space
