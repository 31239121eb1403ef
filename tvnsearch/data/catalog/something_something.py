"""Something-Something v2: what a hand does to things, as webm files and JSON lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tvnsearch.data.catalog.assembly import Format, Listing, NamedClip, Split
from tvnsearch.data.catalog.reading import find_file, find_folder, json_document, required_file
from tvnsearch.errors import UserError

LABELS = "labels.json"
LISTS: tuple[tuple[Split, str], ...] = (("train", "train.json"), ("validation", "validation.json"))
LIST_FOLDERS = ("labels", "annotations")
VIDEO_FOLDERS = ("20bn-something-something-v2", "videos")


class _Entry(Struct, frozen=True):
    """A video: its class is the template without its square brackets."""

    id: str | int
    template: str


def read(root: Path, _split: int) -> Listing:
    """Read the labels and the lists of the videos, `<id>.webm`; the official validation is the test.

    Raises UserError when a file is missing or malformed.
    """
    path = required_file(root, LIST_FOLDERS, LABELS)
    classes = _classes(path, json_document(path, dict[str, str | int]))
    videos = find_folder(root, VIDEO_FOLDERS)
    clips = [
        clip
        for split, name in LISTS
        for clip in _clips(required_file(root, LIST_FOLDERS, name), videos, split, frozenset(classes))
    ]
    # Many classes are a direction ("from left to right"), and a mirrored clip would show another one.
    return Listing(clips, classes, multi_label=False, mirrorable=False)


def _classes(path: Path, numbers: dict[str, str | int]) -> tuple[str, ...]:
    try:
        return tuple(sorted(numbers, key=lambda name: int(numbers[name])))
    except ValueError as error:
        raise UserError(
            f"expected the number of each class in {path}, but one is no number ({error}); correct it"
        ) from None


def _clips(path: Path, videos: Path, split: Split, known: frozenset[str]) -> Iterator[NamedClip]:
    for place, entry in enumerate(json_document(path, list[_Entry])):
        label = entry.template.replace("[", "").replace("]", "")
        if label not in known:
            raise UserError(
                f"expected the templates of {path} in {LABELS}, but '{label}' of $[{place}] is not there; "
                "take both files from the same version of the data set"
            )
        yield NamedClip(videos / f"{entry.id}.webm", (label,), split)


def _recognises(root: Path) -> bool:
    return all(find_file(root, LIST_FOLDERS, name) for name in (LABELS, *(name for _, name in LISTS)))


FORMAT = Format("something-something-v2", _recognises, read)
