"""Random search: the control that any evolution has to beat at equal cost (paper, figure 7)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.records import Individual
from tvnsearch.search.strategies.population import Population
from tvnsearch.search.strategies.strategy import Proposal, random_proposal


class RandomSearch:
    """Every genome is drawn from the whole space; the best ``population`` stay to choose the winner from."""

    def __init__(self, space: SearchSpace, population: int) -> None:
        self._space = space
        self._best = Population(population)

    @property
    def members(self) -> Sequence[Individual]:
        """The best individuals so far, which have no children."""
        return self._best.members

    def propose(self, rng: random.Random) -> Proposal:
        """A random genome."""
        return random_proposal(self._space, rng)

    def learn(self, individual: Individual) -> None:
        """Keep the individual if it is among the best."""
        self._best.add(individual)

    def forget(self, number: int) -> None:
        """Let go of an individual."""
        self._best.forget(number)
