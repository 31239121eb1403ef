"""What every format ends in: clips with named labels, with or without a split, made into a `Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tvnsearch.data.dataset import Clip, Dataset, Protocol
from tvnsearch.data.splits import TEST_SHARE, VALIDATION_SHARE, split_clips
from tvnsearch.errors import UserError

VIDEO_EXTENSIONS = frozenset({".mp4", ".webm", ".avi", ".mkv", ".mov"})

Split = Literal["train", "validation", "test"]

Scored = Literal["train", "validation", "test", "all"]
"""What a network is scored on: a split, or every clip, whatever its split."""

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
"""The names that users give their splits, and what they are called here."""


class NamedClip(Struct, frozen=True):
    """A clip as its data set lists it: its labels by name, and its split (None: it comes without one).

    The other fields are those of `Clip`.
    """

    path: Path
    labels: tuple[str, ...]
    split: Split | None = None
    start_s: float = 0.0
    end_s: float | None = None
    source: str = ""


class Listing(Struct, frozen=True):
    """What a format reads: the clips, and what is known of the data set beyond them.

    `classes` are in the data set's own order; None: the labels that occur, in the order of their names.
    `multi_label` None: it is if any clip has several labels. `mirrorable` and `protocol` are as in `Dataset`.
    """

    clips: Sequence[NamedClip]
    classes: tuple[str, ...] | None = None
    multi_label: bool | None = None
    mirrorable: bool = False
    protocol: Protocol = "standard"


class Format(Struct, frozen=True):
    """How a data set lies on disk: how it is recognised, and how it is read.

    Both functions are given the path that the user gave; `read` also the number of the split to read, from 1
    to `splits`. It raises UserError where the data are not as they should be.
    """

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, int], Listing]
    splits: int = 1


def is_video(path: Path) -> bool:
    """Whether a file is named like a video; the hidden files that macOS writes beside real ones are not."""
    return path.suffix.lower() in VIDEO_EXTENSIONS and not path.name.startswith(".")


def assemble(
    root: Path, format_name: str, listing: Listing, seed: int, scored: Scored | None = None
) -> Dataset:
    """Number the classes and complete the splits.

    Three given splits are kept. With train and one other, the other is the test, and validation is a seeded,
    stratified part of train; with train alone, or no split at all, validation and test both are.

    Where clips are only to be `scored` one class will do, and no other split than that need have clips;
    "all" are in `test`, and nowhere else.

    Raises UserError when there are fewer than two classes, a split would be empty, or splits share a clip.
    """
    occurring = sorted({label for clip in listing.clips for label in clip.labels})
    classes = listing.classes or tuple(occurring)
    if len(classes) < 2 and scored is None:
        found = f"only '{classes[0]}'" if classes else "none"
        raise UserError(
            f"expected clips of at least 2 classes in {root}, but found {found}; "
            "check that the clips of each class are there"
        )
    index = {name: number for number, name in enumerate(classes)}
    splits: dict[Split | None, list[Clip]] = {"train": [], "validation": [], "test": [], None: []}
    for named in listing.clips:
        labels = tuple(sorted({index[label] for label in named.labels}))
        splits[named.split].append(Clip(named.path, labels, named.start_s, named.end_s, named.source))
    _check_disjoint(root, splits)
    train, validation, test = _three_splits(splits, seed)
    if scored == "all":
        train, validation, test = (), (), tuple(clip for part in splits.values() for clip in part)
    for name, clips in (("train", train), ("validation", validation), ("test", test)):
        if not clips and scored is None:
            raise UserError(
                f"expected clips to train, to validate and to test with in {root}, but none is left for the "
                f"{name} split; add clips, at least 3 a class where no split is given"
            )
        if not clips and scored == name:
            raise UserError(
                f"expected clips in the {name} split of {root}, but there are none; score those of another "
                "split, or --split all"
            )
    multi_label = listing.multi_label
    if multi_label is None:
        multi_label = any(len(clip.labels) > 1 for clip in (*train, *validation, *test))
    return Dataset(
        root,
        format_name,
        classes,
        multi_label,
        listing.mirrorable,
        train,
        validation,
        test,
        listing.protocol,
    )


def _check_disjoint(root: Path, splits: dict[Split | None, list[Clip]]) -> None:
    split_of: dict[tuple[Path, float, float | None], Split | None] = {}
    for name, clips in splits.items():
        for clip in clips:
            first = split_of.setdefault((clip.path, clip.start_s, clip.end_s), name)
            if first != name:
                raise UserError(
                    f"expected every clip of {root} in one split, but {clip.path} is in {first} and {name}; "
                    "take it out of one of them"
                )


def _three_splits(splits: dict[Split | None, list[Clip]], seed: int) -> tuple[tuple[Clip, ...], ...]:
    train = tuple(splits["train"] or splits[None])
    others = [tuple(splits[name]) for name in ("validation", "test") if splits[name]]
    if len(others) == 2 or not train:
        return train, tuple(splits["validation"]), tuple(splits["test"])
    if others:
        train, validation = split_clips(train, [VALIDATION_SHARE], seed)
        return train, validation, others[0]
    train, validation, test = split_clips(train, [VALIDATION_SHARE, TEST_SHARE], seed)
    return train, validation, test
