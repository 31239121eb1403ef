"""Which clips a data set has, and what each of them shows."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Clip(msgspec.Struct, frozen=True):
    """One video file and the indices of the classes that it shows (one, or several if multi-label)."""

    path: Path
    labels: tuple[int, ...]


class Dataset(msgspec.Struct, frozen=True):
    """The clips under `root` in three disjoint splits.

    `train` is learned from, `validation` is what the fitness of a search is measured on, and `test`, seen by
    neither, scores the winner. A label is an index into `classes`.
    """

    root: Path
    classes: tuple[str, ...]
    multi_label: bool
    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip of every split."""
        return self.train + self.validation + self.test

    @property
    def chance(self) -> float:
        """Top-1 accuracy of guessing one of the classes at random."""
        return 1.0 / len(self.classes)
