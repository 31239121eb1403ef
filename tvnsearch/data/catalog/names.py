"""What the names of files and folders say: which are videos, of which split, and of which recording."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal

VIDEO_EXTENSIONS = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv"}
)

Split = Literal["train", "validation", "test"]

Scored = Literal["train", "validation", "test", "all"]
"""What a network is scored on: a split, or every clip, whatever its split."""

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""The names that users give their splits, in any case, and what they are called here."""

_SPLIT = re.compile(
    rf"(?:(?:videos?|clips?|data)[ _-])?({'|'.join(SPLIT_NAMES)})(?:[ _-]?(?:set|split|data|videos?|clips?))?"
)

_UCF101_NAME = re.compile(r"(v_.+_g\d+)_c\d+", re.IGNORECASE)
"""`v_<class>_g<group>_c<number>`: clips of one group are cut from one recording."""

_HMDB51_NAME = re.compile(r"(.+)_[hulf]_(?:nm|cm)_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+", re.IGNORECASE)
"""`<recording>_<class>_<body>_<camera>_<people>_<side>_<quality>_<number>`: one film gave several clips."""

_PART = re.compile(r"(.+?)[ _.-]+(?:part|segment|scene|clip|chunk|cut|p|s|c)?[ _-]?\d{1,4}", re.IGNORECASE)
"""A name that is counted at its end; with a number before that besides, as `video1_003`, it may be a part."""

_FROM_FRAME = re.compile(r"(.+?)[ _.-](?:f|frame)[ _-]?\d{2,}(?:\D.*)?", re.IGNORECASE)
"""The same of a name that says the frame that it begins at, as `20170203_cam1_f0086_human1`."""

ALIKE_SHARE = 0.1
"""The share of clips that have to look like parts of one file before that is said: a few do by chance."""


def is_video(name: str) -> bool:
    """Whether a file is named like a video; the hidden files that macOS writes beside real ones are not.

    A path of Windows counts by what is behind its last backslash.
    """
    stem, dot, ending = name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    return f"{dot}{ending.lower()}" in VIDEO_EXTENSIONS and not stem.startswith(".") and stem != ""


def split_named(name: str) -> Split | None:
    """The split that a folder, a list or a cell is called after, as `train`, `Training` or `videos_train`."""
    match = _SPLIT.fullmatch(name.strip().casefold())
    return SPLIT_NAMES[match[1]] if match else None


def class_key(name: str) -> str:
    """The same for names of a class that differ in case, or in how an accent is written."""
    return unicodedata.normalize("NFC", name).casefold()


def recording_named(file: str) -> str:
    """The recording that a file is named after in UCF101's or HMDB51's way; empty where it is not."""
    stem = file.rpartition(".")[0]
    match = _UCF101_NAME.fullmatch(stem) or _HMDB51_NAME.fullmatch(stem)
    return match[1] if match else ""


def parts_of_one_file(paths: Iterable[PurePath]) -> list[list[str]]:
    """The names of files that look like parts of one, as `video1_000.mp4` and `video1_001.mp4`, together.

    None where only a few do.
    """
    files = [path.name for path in paths]
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in files:
        stem = name.rpartition(".")[0]
        match = _PART.fullmatch(stem) or _FROM_FRAME.fullmatch(stem)
        if match and any(map(str.isdigit, match[1])):
            groups[match[1]].append(name)
    found = [names for names in groups.values() if len(names) > 1]
    return found if sum(map(len, found)) >= max(2, ALIKE_SHARE * len(files)) else []


def some_of(names: Iterable[str], most: int = 5) -> str:
    """The first of some names, for a sentence."""
    named = list(names)
    return ", ".join(named[:most]) + (", ..." if len(named) > most else "")
