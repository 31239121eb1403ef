"""Evolution towards the whole front of fitness, latency and parameters, after NSGA-II (Deb et al. 2002)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.records import Individual
from tvnsearch.search.strategies.fronts import Fronts
from tvnsearch.search.strategies.strategy import Proposal, child_proposal, random_proposal

CONTESTANTS = 2
"""NSGA-II's tournament; in a large one the few most isolated individuals would have all the children."""


class Pareto:
    """A random pool first; then binary tournaments by front and crowding, the last and most crowded leaves.

    The fittest is always on the first front, so one search answers the budget it was given and tighter ones.
    """

    def __init__(self, space: SearchSpace, population: int) -> None:
        self._space = space
        self._population = population
        self._fronts = Fronts()

    @property
    def members(self) -> Sequence[Individual]:
        """The current population."""
        return self._fronts.members

    def propose(self, rng: random.Random) -> Proposal:
        """A random genome while the pool is filling, afterwards a mutation of a tournament's winner."""
        if len(self._fronts) < self._population:
            return random_proposal(self._space, rng)
        parent = self._fronts.best_of(min(CONTESTANTS, self._population), rng)
        return child_proposal(parent, self._space, rng)

    def learn(self, individual: Individual) -> None:
        """Add the individual; once the pool is full, the most crowded of the last front leaves it."""
        self._fronts.add(individual)
        if len(self._fronts) > self._population:
            self._fronts.remove_worst()

    def forget(self, number: int) -> None:
        """Let go of an individual; whom it dominated may move up."""
        staying = [member for member in self._fronts.members if member.number != number]
        if len(staying) < len(self._fronts):
            self._fronts = Fronts()
            for member in staying:
                self._fronts.add(member)
