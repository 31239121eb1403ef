"""The search strategies by name."""

from __future__ import annotations

from collections.abc import Callable

from tvnsearch.errors import UserError
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.strategies.ageing import Ageing
from tvnsearch.search.strategies.ask_tell import AskTell
from tvnsearch.search.strategies.pareto import Pareto
from tvnsearch.search.strategies.random_search import RandomSearch
from tvnsearch.search.strategies.strategy import Proposal, Strategy, child_proposal
from tvnsearch.search.strategies.tournament import Tournament

__all__ = [
    "STRATEGIES",
    "Ageing",
    "AskTell",
    "Pareto",
    "Proposal",
    "RandomSearch",
    "Strategy",
    "Tournament",
    "check_strategy",
    "child_proposal",
    "make_strategy",
]

STRATEGIES: dict[str, Callable[[SearchPlan], Strategy]] = {
    "tournament": lambda plan: Tournament(plan.space, plan.search.population, plan.search.tournament),
    "ageing": lambda plan: Ageing(plan.space, plan.search.population, plan.search.tournament),
    "random": lambda plan: RandomSearch(plan.space, plan.search.population),
    "pareto": lambda plan: Pareto(plan.space, plan.search.population),
}


def check_strategy(name: str) -> None:
    """Refuse a name that no strategy has.

    Raises:
        UserError: there is no strategy of that name.
    """
    if name not in STRATEGIES:
        raise UserError(
            f"expected a strategy out of {', '.join(STRATEGIES)}, but got {name!r}; say --strategy tournament"
        )


def make_strategy(plan: SearchPlan) -> AskTell:
    """The strategy that a plan names, knowing nothing yet, to be asked and told.

    Raises:
        UserError: there is no strategy of that name.
    """
    check_strategy(plan.search.strategy)
    return AskTell(STRATEGIES[plan.search.strategy](plan))
