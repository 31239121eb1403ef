"""The search strategies by name."""

from __future__ import annotations

from collections.abc import Callable

from tvnsearch.errors import UserError
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.strategies.strategy import Proposal, Strategy
from tvnsearch.search.strategies.tournament import Tournament

__all__ = ["STRATEGIES", "Proposal", "Strategy", "Tournament", "make_strategy"]

STRATEGIES: dict[str, Callable[[SearchPlan], Strategy]] = {
    "tournament": lambda plan: Tournament(plan.space, plan.population, plan.tournament),
}


def make_strategy(plan: SearchPlan) -> Strategy:
    """The strategy that a plan names, knowing nothing yet.

    Raises:
        UserError: there is no strategy of that name.
    """
    factory = STRATEGIES.get(plan.strategy)
    if factory is None:
        raise UserError(
            f"expected a strategy out of {', '.join(STRATEGIES)}, but got {plan.strategy!r}; name one of them"
        )
    return factory(plan)
