"""The ask-and-tell protocol: every proposal is answered once, by telling what it became or by dropping it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from tvnsearch.search.records import Individual
from tvnsearch.search.strategies.strategy import Proposal, Strategy, proposal_of


class AskTell:
    """Runs a strategy, and remembers what it has asked for and not been answered yet.

    Many proposals may be open at a time. Most are dropped, over the budget or not trainable: a strategy
    learns from trained individuals alone.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._open: Counter[Proposal] = Counter()
        self._told: set[int] = set()

    @property
    def members(self) -> Sequence[Individual]:
        """The individuals that proposals descend from and the winner is chosen from."""
        return self._strategy.members

    def ask(self, rng: random.Random) -> Proposal:
        """Propose a genome, which depends on nothing but ``rng`` and the individuals told before."""
        proposal = self._strategy.propose(rng)
        self._open[proposal] += 1
        return proposal

    def open(self, proposal: Proposal) -> None:
        """Have a proposal of somebody else's be open as if it had been asked for."""
        self._open[proposal] += 1

    def tell(self, individual: Individual) -> None:
        """Take in what a proposal has become.

        Raises:
            RuntimeError: no proposal is open that it could have come from, or it was told before.
        """
        if individual.number in self._told:
            raise RuntimeError(
                f"expected each individual to be told once, but individual {individual.number} was told "
                "again; tell it after its training only"
            )
        self._answer(proposal_of(individual), f"individual {individual.number} came")
        self._told.add(individual.number)
        self._strategy.learn(individual)

    def tell_anew(self, individual: Individual) -> None:
        """Take in that an individual was trained further: it takes the place of what it was.

        Raises:
            RuntimeError: it was not told before.
        """
        if individual.number not in self._told:
            raise RuntimeError(
                f"expected an individual that was told before, but individual {individual.number} was not; "
                "tell it first"
            )
        self._strategy.forget(individual.number)
        self._strategy.learn(individual)

    def drop(self, proposal: Proposal) -> None:
        """Close a proposal that nothing has come of.

        Raises:
            RuntimeError: it is not open.
        """
        self._answer(proposal, "a proposal was dropped")

    def restore(self, individuals: Sequence[Individual], pending: Sequence[Proposal]) -> None:
        """Take in, in their order, what an earlier process of the same run was told.

        ``pending`` are the proposals that it asked for and had no answer to yet.
        """
        self._open.update(pending)
        for individual in individuals:
            if individual.number in self._told:
                self.tell_anew(individual)
            else:
                self._told.add(individual.number)
                self._strategy.learn(individual)

    def _answer(self, proposal: Proposal, event: str) -> None:
        if not self._open[proposal]:
            raise RuntimeError(
                f"expected ask() before tell() or drop(), but {event} whose genome and parent are of none of "
                f"the {self._open.total()} open proposals; ask first, and answer each proposal once"
            )
        self._open[proposal] -= 1
        if not self._open[proposal]:
            del self._open[proposal]
