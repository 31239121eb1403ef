"""What a training comes to at its end, by its fitness on the way: a line for each point, from whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

FEWEST_WHOLE = 3
"""With fewer whole trainings nothing is foretold."""

SLOPE_WEIGHT = 1.5
"""A slope of 1 counts as so many networks that lie a standard deviation apart."""

PRIOR_SPREAD = 0.4
PRIOR_COUNT = 3
"""The scatter about the line counts as so many networks with so much of it, as a share of the spread."""

LEAST_SPREAD = 1e-6


class Foretold(NamedTuple):
    """The fitness at the end of a training, and its standard deviation."""

    mean: float
    sd: float


class _Line(NamedTuple):
    """What ends come to at a point of their trainings, and how far they scatter about that."""

    early_mean: float
    end_mean: float
    slope: float
    sd: float


class Foretelling:
    """Follows the curves of trainings; the same observations, in whatever order, foretell the same."""

    def __init__(self) -> None:
        self._at: dict[float, dict[int, float]] = {}
        self._ends: dict[int, float] = {}
        self._lines: dict[float, _Line | None] = {}
        """Kept until the next observation: several trainings are asked about after each."""

    @property
    def best(self) -> float:
        """The best fitness of a whole training, -inf before the first."""
        return max(self._ends.values(), default=float("-inf"))

    @property
    def ready(self) -> bool:
        """Whether enough trainings were whole to foretell others."""
        return len(self._ends) >= FEWEST_WHOLE

    def observe(self, number: int, share: float, fitness: float) -> None:
        """Take in the fitness of individual ``number`` after ``share`` of a training; 1 is the whole."""
        self._lines.clear()
        if share >= 1:
            self._ends[number] = fitness
        else:
            self._at.setdefault(share, {})[number] = fitness

    def end(self, number: int, share: float, fitness: float) -> Foretold:
        """What a training with ``fitness`` after ``share`` of it comes to; never before it is ``ready``.

        The individual counts as seen there, whether or not it was observed yet. Least squares over the whole
        trainings that were seen at this point, drawn towards a slope of 1, for the few and chosen ones that
        are whole have flatter lines than all would have.
        """
        seen = self._at.get(share, {})
        if seen.get(number) != fitness:
            line = self._fitted({**seen, number: fitness})
        elif share in self._lines:
            line = self._lines[share]
        else:
            line = self._lines[share] = self._fitted(seen)
        if line is None:
            return Foretold(self.best, float(np.std(list(self._ends.values()))) + LEAST_SPREAD)
        return Foretold(line.end_mean + line.slope * (fitness - line.early_mean), line.sd)

    def _fitted(self, seen: Mapping[int, float]) -> _Line | None:
        """The line through those of ``seen`` whose ends are known; None where there are none."""
        pairs = [(seen[number], end) for number, end in self._ends.items() if number in seen]
        if not pairs:
            return None
        spread = max(float(np.std(list(seen.values()))), LEAST_SPREAD)
        early, ends = np.array(sorted(pairs)).T
        across, up = early - early.mean(), ends - ends.mean()
        weight = SLOPE_WEIGHT * spread**2
        slope = (float(across @ up) + weight) / (float(across @ across) + weight)
        scatter = float(((up - slope * across) ** 2).sum()) + PRIOR_COUNT * (PRIOR_SPREAD * spread) ** 2
        sd = (scatter / (len(pairs) + PRIOR_COUNT - 1)) ** 0.5
        return _Line(float(early.mean()), float(ends.mean()), slope, sd)
