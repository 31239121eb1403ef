from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import make_individual
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search.strategies.fronts import Fronts
from tvnsearch.search.strategies.objectives import undominated
from tvnsearch.search.trainings.whole_front import WholeFront

GENOME = sample_genome(load_space("digits"), random.Random(0))
TRAININGS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(1, 4)), max_size=30)
Training = tuple[int, int, int]
"""Fitness, latency, parameters."""


@given(TRAININGS, st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_to_beat_is_the_fittest_of_all_that_cost_no_more(
    trainings: list[Training], costs: tuple[int, int]
) -> None:
    front = WholeFront()
    for fitness, *theirs in trainings:
        front.add(fitness, tuple(theirs))
    rivals = [fitness for fitness, *theirs in trainings if theirs[0] <= costs[0] and theirs[1] <= costs[1]]
    assert front.to_beat(costs) == max(rivals, default=-math.inf)


@given(TRAININGS)
def test_the_front_is_that_of_the_strategy(trainings: list[Training]) -> None:
    fronts, whole = Fronts(), WholeFront()
    for number, (fitness, latency_ms, params) in enumerate(trainings):
        fronts.add(make_individual(number, fitness, GENOME, latency_ms=latency_ms, params=params))
        whole.add(fitness, (latency_ms, params))
    members = sorted(fronts.members, key=lambda member: member.number)
    first = set(fronts.fronts[0]) if trainings else set()
    assert {member.number for member in undominated(members, "pareto")} == first
    assert {(point.fitness, *point.costs) for point in whole.points} == {
        trainings[number] for number in first
    }


@given(TRAININGS)
def test_without_costs_it_is_the_best(trainings: list[Training]) -> None:
    front = WholeFront()
    for fitness, *_ in trainings:
        front.add(fitness, ())
    assert front.to_beat(()) == max((fitness for fitness, *_ in trainings), default=-math.inf)
    assert len(front.points) == min(1, len(trainings))
