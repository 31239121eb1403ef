"""Something-Something v2: what a hand does to things, as webm files and JSON lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip, of_known_classes
from tvnsearch.data.catalog.names import Split
from tvnsearch.data.catalog.reading import find_file, find_folder, json_document, required_file
from tvnsearch.errors import UserError

LABELS, TEST = "labels.json", "test.json"
LISTS: tuple[tuple[Split, str], ...] = (("train", "train.json"), ("validation", "validation.json"))
LONG = "something-something-v2-"
"""What the names of the files begin with where the data set is handed out by its present owner."""
LIST_FOLDERS = ("labels", "annotations")
VIDEO_FOLDERS = ("20bn-something-something-v2", "videos")


class _Entry(Struct, frozen=True):
    """A video: its class is the template without its square brackets."""

    id: str | int
    template: str


def read(root: Path, _split: int) -> Listing:
    """Read the labels and the lists of the videos, `<id>.webm`; the official validation is the test.

    The official test, which has no labels, is left out.

    Raises UserError when a file is missing or malformed.
    """
    path = _required(root, LABELS)
    classes = _classes(path, json_document(path, dict[str, str | int]))
    videos = find_folder(root, VIDEO_FOLDERS)
    clips = [clip for split, name in LISTS for clip in _clips(_required(root, name), videos, split)]
    # Many classes are a direction ("from left to right"), and a mirrored clip would show another one.
    listing = of_known_classes(clips, classes, path.name, mirrorable=False)
    test = _found(root, TEST)
    if test is None:
        return listing
    unread = {f"clips of {test.name}, which has no labels": len(json_document(test, list[Any]))}
    return replace(listing, left_out=listing.left_out | unread)


def _classes(path: Path, numbers: dict[str, str | int]) -> tuple[str, ...]:
    try:
        return tuple(sorted(numbers, key=lambda name: int(numbers[name])))
    except ValueError as error:
        raise UserError(
            f"expected the number of each class in {path}, but one is no number ({error}); correct it"
        ) from None


def _clips(path: Path, videos: Path, split: Split) -> Iterator[NamedClip]:
    for entry in json_document(path, list[_Entry]):
        label = entry.template.replace("[", "").replace("]", "")
        yield NamedClip(videos / f"{entry.id}.webm", (label,), split)


def _found(root: Path, name: str) -> Path | None:
    return find_file(root, LIST_FOLDERS, name) or find_file(root, LIST_FOLDERS, LONG + name)


def _required(root: Path, name: str) -> Path:
    return _found(root, name) or required_file(root, LIST_FOLDERS, name)


def _recognises(root: Path) -> bool:
    return all(_found(root, name) for name in (LABELS, *(name for _, name in LISTS)))


FORMAT = Format("something-something-v2", _recognises, read)
