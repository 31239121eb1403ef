"""The pool of individuals that an evolution lives on."""

from __future__ import annotations

import heapq
import random

from tvnsearch.search.records import Individual, rank


class Population:
    """At most ``size`` individuals, of which a new one drives out the worst and takes its place."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._members: list[Individual] = []
        self._worst_first: list[tuple[float, int, int]] = []
        """A heap of each member's fitness, number and place in ``_members``."""

    def __len__(self) -> int:
        return len(self._members)

    @property
    def members(self) -> tuple[Individual, ...]:
        """The individuals; each newcomer to a full pool stands where the one it drove out stood."""
        return tuple(self._members)

    @property
    def is_full(self) -> bool:
        """Whether the next individual drives one out."""
        return len(self._members) >= self.size

    def add(self, individual: Individual) -> None:
        """Take ``individual`` in; beyond ``size`` the worst of all leaves, which may be the new one.

        Of equally bad individuals the oldest leaves, so that an evolution drifts instead of standing still.
        """
        value, number = individual.fitness.value, individual.number
        if not self.is_full:
            heapq.heappush(self._worst_first, (value, number, len(self._members)))
            self._members.append(individual)
            return
        worst_value, worst_number, place = self._worst_first[0]
        if (value, number) > (worst_value, worst_number):
            heapq.heapreplace(self._worst_first, (value, number, place))
            self._members[place] = individual

    def forget(self, number: int) -> None:
        """Let go of an individual, if it is there; there is room for another one then."""
        self._members = [member for member in self._members if member.number != number]
        self._worst_first = [
            (member.fitness.value, member.number, place) for place, member in enumerate(self._members)
        ]
        heapq.heapify(self._worst_first)

    def best_of(self, count: int, rng: random.Random) -> Individual:
        """The best of ``count`` individuals picked at random; of all of them where there are fewer."""
        return max(rng.sample(self._members, min(count, len(self._members))), key=rank)
