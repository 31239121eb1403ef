from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import make_individual
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search.records import rank
from tvnsearch.search.strategies.population import Population

GENOME = sample_genome(load_space("digits"), random.Random(0))
VALUES = st.lists(st.floats(0, 2) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)


@given(VALUES, st.integers(1, 20))
def test_a_population_is_the_fittest_of_all_that_came(values: list[float], size: int) -> None:
    population = Population(size)
    for number, value in enumerate(values):
        best_before = max((member.fitness.value for member in population.members), default=-1.0)
        population.add(make_individual(number, value, GENOME))
        assert len(population) == min(number + 1, size)
        assert max(member.fitness.value for member in population.members) == max(best_before, value)
    kept = sorted(member.fitness.value for member in population.members)
    assert kept == sorted(values)[-size:]


def test_of_equally_bad_individuals_the_oldest_leaves() -> None:
    population = Population(2)
    for number in range(4):
        population.add(make_individual(number, 1.0, GENOME))
    assert [member.number for member in population.members] == [2, 3]


def test_a_new_individual_worse_than_all_does_not_stay() -> None:
    population = Population(2)
    for number, value in enumerate([1.0, 2.0, 0.5]):
        population.add(make_individual(number, value, GENOME))
    assert [member.number for member in population.members] == [0, 1]


@given(VALUES, st.integers(1, 70), st.integers(0, 1000))
def test_a_tournament_of_all_is_won_by_the_best(values: list[float], count: int, seed: int) -> None:
    population = Population(60)
    for number, value in enumerate(values):
        population.add(make_individual(number, value, GENOME))
    winner = population.best_of(count, random.Random(seed))
    assert winner in population.members
    if count >= len(values):
        assert winner == max(population.members, key=rank)
