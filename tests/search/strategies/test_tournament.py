from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.search.strategies.driving import evolve, numbers
from tvnsearch.genome.space import load_space
from tvnsearch.search.strategies import AskTell, Tournament

SPACE = load_space("digits")


def test_the_pool_fills_with_random_genomes_and_then_the_best_of_a_tournament_is_mutated() -> None:
    strategy = AskTell(Tournament(SPACE, population=10, tournament=10))
    told = evolve(strategy, [float(number == 6) for number in range(10)])
    assert [individual.parent for individual in told] == [None] * 10
    child = strategy.ask(numbers(0, 99))
    assert child.parent == 6
    assert child.genome != told[6].genome


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=21, max_size=60))
def test_whoever_wins_a_tournament_of_half_the_pool_is_not_among_the_worst_half(values: list[float]) -> None:
    strategy = AskTell(Tournament(SPACE, population=20, tournament=11))
    evolve(strategy, values)
    ranked = sorted(strategy.members, key=lambda member: member.fitness.value)
    for seed in range(5):
        parent = strategy.ask(numbers(seed, 999)).parent
        [chosen] = [member for member in strategy.members if member.number == parent]
        assert chosen.fitness.value >= ranked[10].fitness.value
