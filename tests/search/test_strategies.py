"""What every strategy keeps to, whatever it proposes; and what the paper's tournament does besides."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import make_individual, make_plan
from tvnsearch.errors import UserError
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Individual
from tvnsearch.search.strategies import STRATEGIES, Strategy, Tournament, make_strategy

EVERY_STRATEGY = pytest.mark.parametrize("name", list(STRATEGIES))
SPACE = load_space("digits")


def evolve(strategy: Strategy, values: list[float]) -> list[Individual]:
    individuals = []
    for number, value in enumerate(values):
        proposal = strategy.ask(random.Random(number))
        individuals.append(make_individual(number, value, proposal.genome))
        strategy.tell(individuals[-1])
    return individuals


@EVERY_STRATEGY
class TestEveryStrategy:
    def test_telling_before_asking_is_an_error_with_a_sentence(self, name: str) -> None:
        strategy = make_strategy(make_plan(strategy=name))
        individual = make_individual(0, 1.0, sample_genome(SPACE, random.Random(0)))
        with pytest.raises(RuntimeError, match=r"expected ask\(\) before tell\(\)"):
            strategy.tell(individual)

    def test_the_same_random_numbers_give_the_same_proposal(self, name: str) -> None:
        first, second = (make_strategy(make_plan(strategy=name)) for _ in range(2))
        assert evolve(first, [1.0] * 30) == evolve(second, [1.0] * 30)

    def test_asking_changes_no_later_proposal(self, name: str) -> None:
        strategy = make_strategy(make_plan(strategy=name))
        evolve(strategy, [float(number) for number in range(30)])
        before = strategy.ask(random.Random("again"))
        for number in range(100):
            strategy.ask(random.Random(number))
        assert strategy.ask(random.Random("again")) == before

    def test_restored_strategy_goes_on_as_the_one_that_was_told(self, name: str) -> None:
        told, restored = (make_strategy(make_plan(strategy=name)) for _ in range(2))
        individuals = evolve(told, [float(number % 7) for number in range(30)])
        restored.restore(individuals, pending=0)
        assert list(restored.members) == list(told.members)
        assert restored.ask(random.Random(5)) == told.ask(random.Random(5))

    def test_individuals_pending_at_a_restore_may_be_told(self, name: str) -> None:
        strategy = make_strategy(make_plan(strategy=name))
        strategy.restore([], pending=1)
        individual = make_individual(0, 1.0, sample_genome(SPACE, random.Random(0)))
        strategy.tell(individual)
        with pytest.raises(RuntimeError):
            strategy.tell(individual)

    def test_parents_are_members(self, name: str) -> None:
        strategy = make_strategy(make_plan(strategy=name))
        evolve(strategy, [float(number) for number in range(30)])
        members = {member.number for member in strategy.members}
        parents = {strategy.ask(random.Random(number)).parent for number in range(50)}
        assert parents - {None} <= members


def test_pool_fills_with_random_genomes_and_then_the_best_of_a_tournament_is_mutated() -> None:
    strategy = Tournament(SPACE, population=10, tournament=10)
    for number in range(10):
        proposal = strategy.ask(random.Random(number))
        assert proposal.parent is None
        strategy.tell(make_individual(number, float(number == 6), proposal.genome))
    best = strategy.members[6]
    child = strategy.ask(random.Random(99))
    assert child.parent == 6
    assert child.genome != best.genome


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=21, max_size=60))
def test_whoever_wins_a_tournament_of_half_the_pool_is_not_among_the_worst_half(values: list[float]) -> None:
    strategy = Tournament(SPACE, population=20, tournament=11)
    evolve(strategy, values)
    ranked = sorted(strategy.members, key=lambda member: member.fitness.value)
    for seed in range(5):
        parent = strategy.ask(random.Random(seed)).parent
        [chosen] = [member for member in strategy.members if member.number == parent]
        assert chosen.fitness.value >= ranked[10].fitness.value


def test_unknown_strategy_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="expected a strategy out of tournament, but got 'annealing'"):
        make_strategy(make_plan(strategy="annealing"))
