"""Individuals sorted into non-dominated fronts, kept sorted with each one that comes or goes.

Fitness is to be high, measured latency and parameters low. One individual dominates another if it is as good
in all three and better in one. Nothing dominates the first front, and each other one only those before it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from operator import attrgetter

from tvnsearch.search.records import Individual


class _Point:
    """An individual by its three costs, each to be low."""

    __slots__ = ("crowding", "front", "individual", "latency_ms", "params", "unfitness")

    def __init__(self, individual: Individual) -> None:
        self.individual = individual
        self.unfitness = -individual.fitness.value
        self.latency_ms = individual.measurement.latency_ms
        self.params = float(individual.params)
        self.front = 0
        self.crowding = math.inf


_OBJECTIVES = tuple(attrgetter(name) for name in ("unfitness", "latency_ms", "params"))


class Fronts:
    """A population in non-dominated fronts, after NSGA-II (Deb et al. 2002, sections III-A and III-B).

    A newcomer moves only those that it dominates, and the worst leaves from the last front, behind which
    there is nothing to move: an update costs the population's size, not its square.
    """

    def __init__(self) -> None:
        self._points: list[_Point] = []
        self._fronts: list[list[_Point]] = []
        self._crowded: set[int] = set()

    def __len__(self) -> int:
        return len(self._points)

    @property
    def members(self) -> Sequence[Individual]:
        """All individuals, in no order that means anything."""
        return tuple([point.individual for point in self._points])

    @property
    def fronts(self) -> list[set[int]]:
        """The numbers of the individuals of each front, the best front first."""
        return [{point.individual.number for point in front} for front in self._fronts]

    def add(self, individual: Individual) -> None:
        """Put an individual on its front; whom it dominates there falls back, and pushes others back."""
        newcomer = _Point(individual)
        self._points.append(newcomer)
        level = 0
        while level < len(self._fronts) and _dominated(newcomer, self._fronts[level]):
            level += 1
        falling = [newcomer]
        while falling:
            if level == len(self._fronts):
                self._fronts.append([])
            staying: list[_Point] = []
            pushed: list[_Point] = []
            for point in self._fronts[level]:
                (pushed if _dominated(point, falling) else staying).append(point)
            for point in falling:
                point.front = level
            self._fronts[level] = staying + falling
            self._crowded.discard(level)
            falling = pushed
            level += 1

    def remove_worst(self) -> None:
        """Remove the most crowded individual of the last front; of equally crowded ones the least fit."""
        last = len(self._fronts) - 1
        self._crowd(last)
        worst = min(
            self._fronts[last],
            key=lambda point: (point.crowding, -point.unfitness, point.individual.number),
        )
        self._points.remove(worst)
        self._fronts[last].remove(worst)
        self._crowded.discard(last)
        if not self._fronts[last]:
            self._fronts.pop()

    def best_of(self, count: int, rng: random.Random) -> Individual:
        """Of ``count`` individuals picked at random, the least crowded of those on the foremost front."""
        picked = rng.sample(self._points, count)
        foremost = min(point.front for point in picked)
        self._crowd(foremost)
        rivals = [point for point in picked if point.front == foremost]
        return max(rivals, key=lambda point: point.crowding).individual

    def _crowd(self, level: int) -> None:
        """Work out the crowding distances on a front, unless they are known.

        An individual's distance is the sum, over the objectives, of the gap between its two neighbours, as a
        share of the front's extent; at either end of the front it is infinite.
        """
        if level in self._crowded:
            return
        self._crowded.add(level)
        front = self._fronts[level]
        for point in front:
            point.crowding = 0.0
        for objective in _OBJECTIVES:
            ordered = sorted(front, key=objective)
            values = [objective(point) for point in ordered]
            extent = values[-1] - values[0]
            if extent > 0:
                ordered[0].crowding = ordered[-1].crowding = math.inf
                for before, point, after in zip(values, ordered[1:-1], values[2:], strict=False):
                    point.crowding += (after - before) / extent


def _dominated(point: _Point, others: Sequence[_Point]) -> bool:
    """Whether one of ``others`` dominates ``point``."""
    unfitness, latency_ms, params = point.unfitness, point.latency_ms, point.params
    for other in others:
        if (
            other.unfitness <= unfitness
            and other.latency_ms <= latency_ms
            and other.params <= params
            and (other.unfitness < unfitness or other.latency_ms < latency_ms or other.params < params)
        ):
            return True
    return False
