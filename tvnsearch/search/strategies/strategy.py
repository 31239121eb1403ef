"""What every search strategy is: ask for a genome, tell what became of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.search.individual import Individual


class Proposal(Struct, frozen=True):
    """A genome to judge; ``parent`` is the number of the individual it was mutated from, None if random."""

    genome: Genome
    parent: int | None


class Strategy(Protocol):
    """Proposes genomes, and learns from those that were trained; most that it proposes never are.

    ``ask`` depends on nothing but its ``rng`` and what was told before: asking changes no later proposal.
    """

    @property
    def members(self) -> Sequence[Individual]:
        """The individuals that proposals may still descend from; the weights of the others may be deleted."""
        ...

    def ask(self, rng: random.Random) -> Proposal:
        """Propose a genome."""
        ...

    def tell(self, individual: Individual) -> None:
        """Take in a trained individual.

        Raises:
            RuntimeError: no proposal is open that this individual could have come from.
        """
        ...

    def restore(self, individuals: Sequence[Individual], pending: int) -> None:
        """Take in, in their order, what an earlier process of the same run was told.

        ``pending`` of the proposals that it asked for were accepted and are yet to be told.
        """
        ...
