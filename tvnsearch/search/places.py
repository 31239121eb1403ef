"""Where a user's files are, said so that it means the same from any folder."""

from __future__ import annotations

import re
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.genome.space import PRESETS
from tvnsearch.genome.zoo import zoo

WHOLE_ZOO = "zoo"
"""What stands for all networks of the zoo where a search starts from some."""

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


def start_sources(start_from: str) -> list[str]:
    """What a search starts from, one after the other: ``zoo``, zoo networks, runs and genome files.

    Raises:
        UserError: there is nothing before, after or between the commas.
    """
    sources = [source.strip() for source in start_from.split(",")]
    if not all(sources):
        raise UserError(
            "expected zoo networks, runs or genome files with commas between to start from, but got "
            f"{start_from!r}; say --start-from tvn-1,runs/mine"
        )
    return sources


def absolute_start(start_from: str) -> str:
    """What a search starts from, with the names of the zoo as they are and the paths from the root.

    Raises:
        UserError: there is nothing before, after or between the commas.
    """
    return ",".join(
        source if source == WHOLE_ZOO or source in zoo() else absolute_path(source)
        for source in start_sources(start_from)
    )
