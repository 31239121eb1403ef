"""Tournament selection with replace-worst: the paper's evolution (section 2)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.individual import Individual
from tvnsearch.search.population import Population
from tvnsearch.search.strategies.strategy import Proposal


class Tournament:
    """A random pool first; then the best of ``tournament`` random members is mutated, the worst leaves."""

    def __init__(self, space: SearchSpace, population: int, tournament: int) -> None:
        self._space = space
        self._tournament = tournament
        self._population = Population(population)
        self._asked = 0
        self._told = 0

    @property
    def members(self) -> Sequence[Individual]:
        """The current population."""
        return self._population.members

    def ask(self, rng: random.Random) -> Proposal:
        """A random genome while the pool is filling, afterwards a mutation of a tournament's winner."""
        self._asked += 1
        if not self._population.is_full:
            return Proposal(sample_genome(self._space, rng), parent=None)
        parent = self._population.best_of(self._tournament, rng)
        return Proposal(mutate(parent.genome, self._space, rng), parent=parent.number)

    def tell(self, individual: Individual) -> None:
        """Add the individual; once the pool is full, the worst leaves it.

        Raises:
            RuntimeError: more individuals are told than genomes were asked for.
        """
        if self._told >= self._asked:
            raise RuntimeError(
                f"expected ask() before tell(), but individual {individual.number} was told with no proposal "
                "open; ask first, or give what an earlier process was told to restore()"
            )
        self._told += 1
        self._population.add(individual)

    def restore(self, individuals: Sequence[Individual], pending: int) -> None:
        """Tell again, in order, what an earlier process of this run was told; ``pending`` are yet to come."""
        self._asked += len(individuals) + pending
        for individual in individuals:
            self.tell(individual)
