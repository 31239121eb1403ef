from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import make_individual
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Individual
from tvnsearch.search.strategies.fronts import Fronts

GENOME = sample_genome(load_space("digits"), random.Random(0))
FEW = st.sampled_from([1.0, 2.0, 3.0, 4.0])
COSTS = st.tuples(FEW | st.floats(0, 9), FEW | st.floats(0.1, 9), st.integers(1, 9))


def dominates(one: Individual, other: Individual) -> bool:
    def costs(individual: Individual) -> tuple[float, float, float]:
        return -individual.fitness.value, individual.measurement.latency_ms, individual.params

    pairs = list(zip(costs(one), costs(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def sorted_from_scratch(individuals: list[Individual]) -> list[set[int]]:
    fronts, left = [], individuals
    while left:
        front = [one for one in left if not any(dominates(other, one) for other in left)]
        fronts.append({one.number for one in front})
        left = [one for one in left if one.number not in fronts[-1]]
    return fronts


@given(st.lists(COSTS, min_size=1, max_size=40), st.integers(1, 15))
def test_fronts_are_those_of_sorting_all_from_scratch(
    costs: list[tuple[float, float, int]], size: int
) -> None:
    fronts = Fronts()
    alive: dict[int, Individual] = {}
    for number, (value, latency_ms, params) in enumerate(costs):
        alive[number] = make_individual(number, value, GENOME, latency_ms=latency_ms, params=params)
        fronts.add(alive[number])
        assert fronts.fronts == sorted_from_scratch(list(alive.values()))
        if len(fronts) > size:
            last = fronts.fronts[-1]
            fronts.remove_worst()
            [gone] = alive.keys() - {member.number for member in fronts.members}
            assert gone in last
            del alive[gone]
            assert fronts.fronts == sorted_from_scratch(list(alive.values()))


@given(st.lists(COSTS, min_size=2, max_size=40), st.integers(0, 99))
def test_the_best_of_some_is_dominated_by_none_of_them(
    costs: list[tuple[float, float, int]], seed: int
) -> None:
    fronts = Fronts()
    for number, (value, latency_ms, params) in enumerate(costs):
        fronts.add(make_individual(number, value, GENOME, latency_ms=latency_ms, params=params))
    best = fronts.best_of(len(costs), random.Random(seed))
    assert not any(dominates(other, best) for other in fronts.members)


def test_of_a_front_the_individual_in_the_smallest_gap_leaves_first() -> None:
    fronts = Fronts()
    for number, at in enumerate([0.0, 1.0, 1.5, 3.0, 9.0]):
        fronts.add(make_individual(number, at, GENOME, latency_ms=1.0 + at))
    gone = []
    while len(fronts) > 2:
        before = {member.number for member in fronts.members}
        fronts.remove_worst()
        gone += before - {member.number for member in fronts.members}
    assert gone == [1, 2, 3]


def test_the_fittest_of_all_outlasts_the_rest() -> None:
    rng = random.Random(0)
    fronts = Fronts()
    best = 0.0
    for number in range(300):
        value = rng.random()
        best = max(best, value)
        fronts.add(
            make_individual(
                number, value, GENOME, latency_ms=rng.uniform(1, 50), params=rng.randrange(1, 10**6)
            )
        )
        if len(fronts) > 20:
            fronts.remove_worst()
        assert max(member.fitness.value for member in fronts.members) == best
