"""The pool of individuals that an evolution lives on."""

from __future__ import annotations

import random

from tvnsearch.search.individual import Individual, rank


class Population:
    """At most ``size`` individuals, of which a new one drives out the worst."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._members: list[Individual] = []

    def __len__(self) -> int:
        return len(self._members)

    @property
    def members(self) -> tuple[Individual, ...]:
        """The individuals in the order in which they came."""
        return tuple(self._members)

    @property
    def is_full(self) -> bool:
        """Whether the next individual drives one out."""
        return len(self._members) >= self.size

    def add(self, individual: Individual) -> None:
        """Take ``individual`` in; beyond ``size`` the worst of all leaves, which may be the new one.

        Of equally bad individuals the oldest leaves, so that an evolution drifts instead of standing still.
        """
        self._members.append(individual)
        if len(self._members) > self.size:
            self._members.remove(min(self._members, key=lambda member: (member.fitness.value, member.number)))

    def best_of(self, count: int, rng: random.Random) -> Individual:
        """The best of ``count`` individuals picked at random; of all of them where there are fewer."""
        return max(rng.sample(self._members, min(count, len(self._members))), key=rank)
