"""Clips drawn so that every class comes equally often, however many clips it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tvnsearch.data.dataset import Clip


def clips_by_class(clips: Sequence[Clip]) -> list[list[int]]:
    """The numbers of the clips that show each class, where any does; of those that show none, last."""
    shown = sorted({label for clip in clips for label in clip.labels})
    groups: dict[int | None, list[int]] = {label: [] for label in shown}
    for number, clip in enumerate(clips):
        for label in clip.labels or (None,):
            groups.setdefault(label, []).append(number)
    return list(groups.values())


def balanced_rounds(groups: Sequence[Sequence[int]], rng: np.random.Generator) -> Iterator[list[int]]:
    """Rounds without end, each of one number of every group in random order.

    A group gives each of its numbers once, in random order, before it gives one again.
    """
    left: list[list[int]] = [[] for _ in groups]
    while True:
        drawn = []
        for place in rng.permutation(len(groups)).tolist():
            if not left[place]:
                left[place] = rng.permutation(groups[place]).tolist()
            drawn.append(left[place].pop())
        yield drawn
