from __future__ import annotations

from tests.search.strategies.driving import Outcome, evolve, numbers
from tvnsearch.genome.space import load_space
from tvnsearch.search.strategies import AskTell, Pareto

SPACE = load_space("digits")
TRADE_OFF = [Outcome(1.0 + number, 1.0 + number, 100) for number in range(10)]
"""The fitter, the slower: none of these is dominated."""


def test_whoever_is_dominated_leaves_and_has_no_children_while_others_are_left() -> None:
    strategy = AskTell(Pareto(SPACE, population=10))
    evolve(strategy, [*TRADE_OFF[:9], Outcome(0.5, 20.0, 200)])
    children = [strategy.ask(numbers(1, index)) for index in range(50)]
    assert 9 not in {child.parent for child in children}
    evolve(strategy, TRADE_OFF[9:], first=10)
    assert {member.number for member in strategy.members} == {*range(9), 10}


def test_both_ends_of_the_front_stay_and_the_crowded_leave() -> None:
    strategy = AskTell(Pareto(SPACE, population=10))
    evolve(strategy, TRADE_OFF)
    crowd = [Outcome(5.0 + 0.01 * number, 5.0 + 0.01 * number, 100) for number in range(1, 30)]
    evolve(strategy, crowd, first=10)
    values = sorted(member.fitness.value for member in strategy.members)
    assert (values[0], values[-1]) == (1.0, 10.0)
    assert len([value for value in values if 5.0 < value < 5.5]) <= 2


def test_the_least_crowded_of_two_on_a_front_has_the_child() -> None:
    strategy = AskTell(Pareto(SPACE, population=4))
    evolve(strategy, [Outcome(1.0, 1.0), Outcome(1.1, 1.1), Outcome(1.2, 1.2), Outcome(9.0, 9.0)])
    parents = [strategy.ask(numbers(1, index)).parent for index in range(200)]
    assert parents.count(1) < parents.count(2) < min(parents.count(0), parents.count(3))
