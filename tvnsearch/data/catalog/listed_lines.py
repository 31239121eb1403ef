"""Lists of a video a line and no header: `path label`, `path,label`, or `path frames label`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tvnsearch.data.catalog.listing import NamedClip
from tvnsearch.data.catalog.names import VIDEO_EXTENSIONS, Split
from tvnsearch.data.catalog.reading import malformed, placed, spelled_once, text_lines

_ENDINGS = "|".join(re.escape(extension) for extension in sorted(VIDEO_EXTENSIONS))
_LISTED = re.compile(rf"(.+(?:{_ENDINGS}))\s*[\s,]\s*(\S.*)", re.IGNORECASE)
"""A path, which may hold spaces and commas, and a label, with a space or a comma between them."""

_FRAMES = re.compile(r"\d+(?:\s+|\s*,\s*)(\S.*)")
"""A label with the number of frames before it."""


def is_listed(line: str) -> bool:
    """Whether a line lists a video."""
    return _LISTED.fullmatch(line) is not None


def listed_clips(lists: Sequence[tuple[Split | None, Path, Sequence[Path]]]) -> list[NamedClip]:
    """The clips of lists, each with its split and the folders that its paths may be relative to.

    The frames of a video are not read. A number before every label of all lists is one of frames.

    Raises UserError for a malformed line, with its number.
    """
    listed: list[tuple[Split | None, Path, str]] = []
    for split, path, folders in lists:
        files, rest = [], []
        for line, text in text_lines(path):
            match = _LISTED.fullmatch(text)
            if match is None:
                raise malformed(path, line, "`path label`", f"is '{text}'")
            files.append(match[1])
            rest.append(match[2])
        listed.extend(zip([split] * len(files), placed(files, folders), rest, strict=True))
    counted = [_FRAMES.fullmatch(rest) for _, _, rest in listed]
    labels = [match[1] for match in counted if match]
    if len(labels) < len(listed):
        labels = [rest for _, _, rest in listed]
    paths = spelled_once([path for _, path, _ in listed], lists[0][1].parent)
    return [
        NamedClip(path, (label,), split)
        for path, label, (split, _, _) in zip(paths, labels, listed, strict=True)
    ]
