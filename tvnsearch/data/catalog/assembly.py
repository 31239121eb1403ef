"""What every layout ends in: clips with named labels, with or without a split, made into a `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.splits import TEST_SHARE, VALIDATION_SHARE, split_clips
from tvnsearch.errors import UserError

VIDEO_EXTENSIONS = frozenset({".mp4", ".webm", ".avi", ".mkv", ".mov"})

Split = Literal["train", "validation", "test"]

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
"""The names that users give their splits, and what they are called here."""


class NamedClip(Struct, frozen=True):
    """A clip as its data set lists it: its labels by name, and its split (None: it comes without one)."""

    path: Path
    labels: tuple[str, ...]
    split: Split | None = None


def is_video(path: Path) -> bool:
    """Whether a file is named like a video; the hidden files that macOS writes beside real ones are not."""
    return path.suffix.lower() in VIDEO_EXTENSIONS and not path.name.startswith(".")


def assemble(root: Path, named_clips: Sequence[NamedClip], seed: int) -> Dataset:
    """Number the classes in the order of their names, and complete the splits.

    Three given splits are kept. With train and one other, the other is the test, and validation is a seeded,
    stratified part of train; with train alone, or no split at all, validation and test both are.

    Raises UserError when there are fewer than two classes, or a split would be empty.
    """
    classes = tuple(sorted({label for clip in named_clips for label in clip.labels}))
    if len(classes) < 2:
        raise UserError(
            f"expected clips of at least 2 classes in {root}, but found only '{classes[0]}'; "
            "put the clips of each class into a folder named after it"
        )
    index = {name: number for number, name in enumerate(classes)}
    splits: dict[Split | None, list[Clip]] = {"train": [], "validation": [], "test": [], None: []}
    for named in named_clips:
        labels = tuple(sorted({index[label] for label in named.labels}))
        splits[named.split].append(Clip(named.path, labels))
    train, validation, test = _three_splits(splits, seed)
    for name, clips in (("train", train), ("validation", validation), ("test", test)):
        if not clips:
            raise UserError(
                f"expected clips to train, to validate and to test with in {root}, but none is left for the "
                f"{name} split; add clips, at least 3 a class where no split is given"
            )
    multi_label = any(len(clip.labels) > 1 for clip in (*train, *validation, *test))
    return Dataset(root, classes, multi_label, train, validation, test)


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
