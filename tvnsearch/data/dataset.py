"""Which clips a data set has, and what each of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

Protocol = Literal["standard", "charades"]
"""How multi-label data are scored: as scikit-learn does, or as the script that comes with Charades."""


SPLITS = ("train", "validation", "test")
"""The names of the splits."""


class Clip(msgspec.Struct, frozen=True):
    """A video file, or a part of one, and the indices of the classes that it shows.

    The part lasts from `start_s` to `end_s` seconds after the file's first frame; None is the file's end.
    Single-label data have one label a clip, multi-label data any number, none included. Clips of the same
    `recording` were filmed in one go and stay together when a split is made; empty means the file itself.
    """

    path: Path
    labels: tuple[int, ...]
    start_s: float = 0.0
    end_s: float | None = None
    recording: str = ""


class Dataset(msgspec.Struct, frozen=True):
    """The clips under `root` in three disjoint splits.

    `train` is learned from, `validation` is what the fitness of a search is measured on, and `test`, seen by
    neither, scores the winner. A label is an index into `classes`. `mirrorable`: a clip and its mirror image
    show the same classes. `format` is the name of the format that it was read as, `protocol` how
    it is scored. `left_out` counts what lies or is listed there and is no clip of it, by the reason; `notes`
    are sentences about what people should know of it.
    """

    root: Path
    format: str
    classes: tuple[str, ...]
    multi_label: bool
    mirrorable: bool
    train: Sequence[Clip]
    validation: Sequence[Clip]
    test: Sequence[Clip]
    protocol: Protocol = "standard"
    left_out: dict[str, int] = {}
    notes: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What opens the same data set from anywhere: `format:root`."""
        return f"{self.format}:{self.root}"

    @property
    def splits(self) -> dict[str, Sequence[Clip]]:
        """The clips by the name of their split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip of every split."""
        return (*self.train, *self.validation, *self.test)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said when it is used: a line of all that is left out, if anything, and its notes."""
        counted = ", ".join(f"{reason} ({count})" for reason, count in self.left_out.items())
        return ((f"left out: {counted}",) if counted else ()) + self.notes

    @property
    def chance(self) -> float:
        """Top-1 accuracy of guessing one of the classes at random."""
        return 1.0 / len(self.classes)
