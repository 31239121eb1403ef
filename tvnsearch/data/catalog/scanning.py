"""Videos below a folder, by their names alone: nothing is opened, and no file is looked at one by one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from tvnsearch.data.catalog.names import is_video
from tvnsearch.errors import UserError

LONGEST_ENDING = 6
"""Of a name, in characters with its dot: more is no kind of file."""


class FoundVideo(NamedTuple):
    """A video file, and the folders that it lies in below the one that was searched, from the outside in."""

    path: str
    inside: tuple[str, ...]


def top_folder(root: Path, left_out: Counter[str]) -> tuple[list[str], list[str]]:
    """The names of the folders and of the videos that lie in `root` itself, sorted.

    What else lies there (lists, a description) is not counted as left out; hidden folders are.

    Raises UserError when it cannot be opened.
    """
    try:
        with os.scandir(root) as found:
            entries = sorted(found, key=attrgetter("name"))
    except OSError as error:
        raise UserError(
            f"expected a folder of clips at {root}, but it cannot be opened ({error.strerror}); "
            "give one that may be read"
        ) from None
    folders = [entry.name for entry in entries if _is_folder(entry)]
    left_out["hidden files and folders"] += sum(name.startswith(".") for name in folders)
    names = set(folders)
    return (
        [name for name in folders if not name.startswith(".")],
        [entry.name for entry in entries if entry.name not in names and is_video(entry.name)],
    )


def videos_below(folder: str, left_out: Counter[str], inside: tuple[str, ...] = ()) -> Iterator[FoundVideo]:
    """The videos of a folder and of the folders in it, in the order of their names; the rest is counted."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=attrgetter("name"))
    except OSError:
        left_out["folders that cannot be opened"] += 1
        return
    for entry in entries:
        if entry.name.startswith("."):
            left_out["hidden files and folders"] += 1
        elif _is_folder(entry):
            if entry.is_symlink() and _leads_above(entry.path, folder):
                left_out["links to a folder that holds them"] += 1
            else:
                yield from videos_below(entry.path, left_out, (*inside, entry.name))
        elif is_video(entry.name):
            yield FoundVideo(entry.path, inside)
        else:
            left_out[_kind(entry.name)] += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _leads_above(link: str, folder: str) -> bool:
    target = os.path.realpath(link)
    return os.path.commonpath([target, os.path.realpath(folder)]) == target


def _kind(name: str) -> str:
    ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a Path a file is slow
    return f"{ending} files" if 1 < len(ending) <= LONGEST_ENDING else "files of no known kind"
