"""Tournament selection with replace-worst: the paper's evolution (section 2)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.records import Individual
from tvnsearch.search.strategies.population import Population
from tvnsearch.search.strategies.strategy import Proposal, child_proposal, random_proposal


class Tournament:
    """A random pool first; then the best of ``tournament`` random members is mutated, the worst leaves."""

    def __init__(self, space: SearchSpace, population: int, tournament: int) -> None:
        self._space = space
        self._tournament = tournament
        self._population = Population(population)

    @property
    def members(self) -> Sequence[Individual]:
        """The current population."""
        return self._population.members

    def propose(self, rng: random.Random) -> Proposal:
        """A random genome while the pool is filling, afterwards a mutation of a tournament's winner."""
        if not self._population.is_full:
            return random_proposal(self._space, rng)
        return child_proposal(self._population.best_of(self._tournament, rng), self._space, rng)

    def learn(self, individual: Individual) -> None:
        """Add the individual; once the pool is full, the worst leaves it."""
        self._population.add(individual)

    def forget(self, number: int) -> None:
        """Let go of an individual."""
        self._population.forget(number)
