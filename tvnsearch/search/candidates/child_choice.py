"""Which of many networks is judged: of those that seem to keep the budget, the most promising one."""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from tvnsearch.genome.identity import genome_id
from tvnsearch.search.candidates.budget_gate import BudgetGate, Screening
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.protocols import LatencyModel
from tvnsearch.search.records import Individual, rank
from tvnsearch.search.strategies import AskTell, Proposal, child_proposal
from tvnsearch.search.strategies.objectives import WITH_COSTS, Costs, costs_of, undominated

if TYPE_CHECKING:
    from tvnsearch.search.trainings.fitness_predictor import FitnessPredictor

PROPOSALS = 64
"""So many are asked of the strategy, and as many mutated from its best, for one training."""

FITTEST = 5
"""So many of the fittest have children to choose from: a pool that is still filling has none of its own.

Where a front is looked for they are all on it.
"""

MOST_ROUNDS = 4
"""Where most are over the budget, the choice is among as many as so many rounds of draws find.

Where the first round finds none, the next candidate is: a space that is used up has to end the search.
"""


class ChildChooser:
    """Draws many networks at a time and hands on one; the rest are not counted."""

    def __init__(
        self,
        predictor: FitnessPredictor,
        strategy: AskTell,
        gate: BudgetGate,
        plan: SearchPlan,
        latency: LatencyModel,
    ) -> None:
        self._predictor = predictor
        self._strategy = strategy
        self._gate = gate
        self._space = plan.space
        self._name = plan.search.strategy
        self._latency = latency

    def choose(
        self, first: Proposal, rng: random.Random, known_ids: Set[str]
    ) -> tuple[Proposal, float | None]:
        """``first`` or another network drawn with ``rng``, and the fitness predicted for it, if any was.

        ``first`` it is while little is known or the predictor misleads.
        """
        if not self._predictor.ready:
            return first, None
        drawn, keeping, seen = [first], list[tuple[Proposal, Screening]](), set[str]()
        looked_at = 0
        for _ in range(MOST_ROUNDS):
            drawn += self._draw(rng)
            screenings = self._gate.screen([proposal.genome for proposal in drawn[looked_at:]])
            for proposal, screening in zip(drawn[looked_at:], screenings, strict=True):
                identity = "" if screening.rejection else genome_id(proposal.genome)
                if identity and identity not in seen and identity not in known_ids:
                    seen.add(identity)
                    keeping.append((proposal, screening))
            looked_at = len(drawn)
            if not 0 < len(keeping) < PROPOSALS:
                break
        chosen, predicted = first, None
        if keeping:
            genomes = [proposal.genome for proposal, _ in keeping]
            choice = self._predictor.choose(genomes, rng, self._costs(keeping))
            chosen, predicted = keeping[choice.place][0], choice.predicted
        return chosen, predicted

    def _costs(self, keeping: Sequence[tuple[Proposal, Screening]]) -> list[Costs] | None:
        """What each is predicted to cost, where the strategy wants that low."""
        if self._name not in WITH_COSTS:
            return None
        estimates = self._latency.estimate([proposal.genome for proposal, _ in keeping])
        return [
            costs_of(self._name, estimate.latency_ms, screening.params)
            for estimate, (_, screening) in zip(estimates, keeping, strict=True)
        ]

    def _draw(self, rng: random.Random) -> list[Proposal]:
        asked = [self._strategy.ask(rng) for _ in range(PROPOSALS)]
        parents = self._best()
        return asked + [child_proposal(rng.choice(parents), self._space, rng) for _ in range(PROPOSALS)]

    def _best(self) -> list[Individual]:
        """The fittest, or where costs count as well the whole first front."""
        members = sorted(self._strategy.members, key=rank)
        return undominated(members, self._name) if self._name in WITH_COSTS else members[-FITTEST:]
