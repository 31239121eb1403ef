"""The whole trainings that no other one dominates: what a network has to beat that costs as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tvnsearch.search.strategies.objectives import Costs, is_as_cheap, is_no_better


class FrontPoint(NamedTuple):
    """What a whole training came to, and what its network costs."""

    fitness: float
    costs: Costs


class WholeFront:
    """Follows whole trainings; without costs its only point is the best of them."""

    def __init__(self) -> None:
        self._points: list[FrontPoint] = []

    @property
    def points(self) -> Sequence[FrontPoint]:
        """Those of the front."""
        return self._points

    def add(self, fitness: float, costs: Costs) -> None:
        """Take in a whole training."""
        if any(is_no_better(fitness, costs, *point) for point in self._points):
            return
        staying = [point for point in self._points if not is_no_better(*point, fitness, costs)]
        self._points = [*staying, FrontPoint(fitness, costs)]

    def to_beat(self, costs: Costs) -> float:
        """The best fitness of networks that cost at most ``costs``, -inf where there are none.

        What comes out under it is dominated.
        """
        rivals = [point.fitness for point in self._points if is_as_cheap(point.costs, costs)]
        return max(rivals, default=-math.inf)
