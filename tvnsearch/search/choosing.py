"""Which of many children is judged: of those that seem to keep the budget, the one predicted fittest."""

from __future__ import annotations

import random
from collections.abc import Set
from typing import TYPE_CHECKING

from tvnsearch.genome.identity import genome_id
from tvnsearch.search.gate import BudgetGate
from tvnsearch.search.strategies import AskTell, Proposal

if TYPE_CHECKING:
    from tvnsearch.search.acceleration import FitnessPredictor

PROPOSALS = 32
"""So many children are compared for one training; a walk and a prediction take well under a millisecond."""

MOST_ROUNDS = 8
"""Where most children are over the budget, the choice is among as many as so many rounds of draws find.

Where the first round finds none, the next candidate is: a space that is used up has to end the search.
"""


class ChildChooser:
    """Asks ``strategy`` for many children at a time and hands on one; the rest are dropped, not counted."""

    def __init__(self, predictor: FitnessPredictor, strategy: AskTell, gate: BudgetGate) -> None:
        self._predictor = predictor
        self._strategy = strategy
        self._gate = gate

    def choose(
        self, first: Proposal, rng: random.Random, known_ids: Set[str]
    ) -> tuple[Proposal, float | None]:
        """``first`` or another child drawn with ``rng``, and the fitness predicted for it, if any was.

        Random genomes are handed on, and children too while little is known or the predictor misleads.
        """
        if first.parent is None or not self._predictor.ready:
            return first, None
        drawn, keeping, seen = [first], list[Proposal](), set[str]()
        looked_at = 0
        for _ in range(MOST_ROUNDS):
            drawn += [self._strategy.ask(rng) for _ in range(PROPOSALS)]
            screenings = self._gate.screen([proposal.genome for proposal in drawn[looked_at:]])
            for proposal, screening in zip(drawn[looked_at:], screenings, strict=True):
                identity = "" if screening.rejection else genome_id(proposal.genome)
                if identity and identity not in seen and identity not in known_ids:
                    seen.add(identity)
                    keeping.append(proposal)
            looked_at = len(drawn)
            if not 0 < len(keeping) < PROPOSALS:
                break
        keeping = keeping[:PROPOSALS]
        chosen, predicted = first, None
        if keeping:
            choice = self._predictor.choose([proposal.genome for proposal in keeping], rng)
            chosen, predicted = keeping[choice.place], choice.predicted
        drawn.remove(chosen)
        for proposal in drawn:
            self._strategy.drop(proposal)
        return chosen, predicted
