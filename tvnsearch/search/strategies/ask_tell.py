"""Runs a strategy by the events of a search: asked for genomes, told what training them came to."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tvnsearch.search.events import Event, Failed, Judged, Paused, Remeasured, Trained
from tvnsearch.search.records import Candidate, Individual, individual_of
from tvnsearch.search.strategies.strategy import Proposal, Strategy


class AskTell:
    """A strategy that may be asked any number of times, and is told of what was trained.

    Most of what it proposes comes to nothing, over the budget or not trainable, and it need not know: it
    learns from trained individuals alone.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._accepted: dict[int, Candidate] = {}
        self._told: set[int] = set()

    @property
    def members(self) -> Sequence[Individual]:
        """The individuals that proposals descend from and the winner is chosen from."""
        return self._strategy.members

    def ask(self, rng: random.Random) -> Proposal:
        """Propose a genome, which depends on nothing but ``rng`` and the individuals told before."""
        return self._strategy.propose(rng)

    def tell(self, individual: Individual) -> None:
        """Take in an individual; one that was told before takes the place of what it was."""
        if individual.number in self._told:
            self._strategy.forget(individual.number)
        self._told.add(individual.number)
        self._strategy.learn(individual)

    def apply(self, event: Event) -> tuple[str, ...]:
        """Take in what has happened."""
        match event:
            case Judged(measured=Candidate() as candidate) | Remeasured(measured=candidate):
                if candidate.verdict.kind == "accepted":
                    self._accepted[candidate.number] = candidate
            case Paused():
                self.tell(individual_of(self._accepted[event.number], event.fitness))
            case Trained():
                self.tell(individual_of(self._accepted.pop(event.number), event.fitness))
            case Failed():
                self._accepted.pop(event.number, None)
            case _:
                pass
        return ()
