from __future__ import annotations

from tests.search.strategies.driving import Outcome, evolve, numbers
from tvnsearch.genome.space import load_space
from tvnsearch.search.strategies import Ageing, AskTell

SPACE = load_space("digits")


def test_the_oldest_leaves_however_fit_it_is() -> None:
    strategy = AskTell(Ageing(SPACE, population=5, tournament=5))
    evolve(strategy, [9.0, *[1.0] * 4])
    assert strategy.ask(numbers(0, 99)).parent == 0
    evolve(strategy, [0.5], first=5)
    assert [member.number for member in strategy.members] == [1, 2, 3, 4, 5]


def test_age_counts_from_the_end_of_a_training_and_failures_do_not_age_anyone() -> None:
    strategy = AskTell(Ageing(SPACE, population=2, tournament=1))
    evolve(strategy, [1.0, 1.0, *[Outcome(None)] * 20])
    assert [member.number for member in strategy.members] == [0, 1]


def test_the_best_of_a_tournament_is_the_parent() -> None:
    strategy = AskTell(Ageing(SPACE, population=10, tournament=10))
    told = evolve(strategy, [float(number == 6) for number in range(10)])
    assert [individual.parent for individual in told] == [None] * 10
    assert strategy.ask(numbers(0, 99)).parent == 6
