"""What every search strategy is: a rule that proposes genomes, and learns from those that were trained."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.records import Individual


class Proposal(Struct, frozen=True):
    """A genome to judge; ``parent`` is the number of the individual it was mutated from, None if random."""

    genome: Genome
    parent: int | None


class Strategy(Protocol):
    """A rule of search; :class:`AskTell` runs one by the events of a search."""

    @property
    def members(self) -> Sequence[Individual]:
        """The individuals that proposals descend from and the winner is chosen from; others are history."""
        ...

    def propose(self, rng: random.Random) -> Proposal:
        """A genome, which follows from ``rng`` and what was learnt so far; proposing changes nothing."""
        ...

    def learn(self, individual: Individual) -> None:
        """Take in a trained individual."""
        ...

    def forget(self, number: int) -> None:
        """Let go of an individual, if it is a member: it was trained further, and is learnt anew."""
        ...


def random_proposal(space: SearchSpace, rng: random.Random) -> Proposal:
    """A genome drawn from the whole space."""
    return Proposal(sample_genome(space, rng), parent=None)


def child_proposal(parent: Individual, space: SearchSpace, rng: random.Random) -> Proposal:
    """A mutation of ``parent``."""
    return Proposal(mutate(parent.genome, space, rng), parent=parent.number)
