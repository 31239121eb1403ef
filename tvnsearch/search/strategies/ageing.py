"""Ageing evolution: tournaments as the paper's, but the oldest leaves (Real et al. 2019, algorithm 1)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.records import Individual, rank
from tvnsearch.search.strategies.strategy import Proposal, child_proposal, random_proposal


class Ageing:
    """A random pool first; then the best of ``tournament`` random members is mutated, the oldest leaves.

    Nobody stays for one lucky training: only what its children inherit again and again lasts.
    """

    def __init__(self, space: SearchSpace, population: int, tournament: int) -> None:
        self._space = space
        self._population = population
        self._tournament = tournament
        self._youngest: deque[Individual] = deque(maxlen=population)

    @property
    def members(self) -> Sequence[Individual]:
        """The latest individuals, the oldest first."""
        return tuple(self._youngest)

    def propose(self, rng: random.Random) -> Proposal:
        """A random genome while the pool is filling, afterwards a mutation of a tournament's winner."""
        if len(self._youngest) < self._population:
            return random_proposal(self._space, rng)
        best = max(rng.sample(self._youngest, self._tournament), key=rank)
        return child_proposal(best, self._space, rng)

    def learn(self, individual: Individual) -> None:
        """Add the individual; once the pool is full, the oldest leaves it."""
        self._youngest.append(individual)

    def forget(self, number: int) -> None:
        """Let go of an individual: trained further, it comes back as the youngest."""
        staying = [member for member in self._youngest if member.number != number]
        self._youngest = deque(staying, maxlen=self._population)
