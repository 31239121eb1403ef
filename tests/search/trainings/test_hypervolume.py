from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tvnsearch.search.trainings.hypervolume import expected_enlargement

Point = tuple[float, float, float]
"""Fitness, to be high, and two costs, to be low."""

REFERENCE = (0.0, 6.0, 6.0)
POINTS = st.tuples(st.integers(-1, 6), st.integers(0, 7), st.integers(0, 7))


def volume(points: list[Point]) -> float:
    """Of the union of boxes between the points and the reference, by inclusion and exclusion."""
    total = 0.0
    for count in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, count):
            height = min(point[0] for point in chosen) - REFERENCE[0]
            sides = [REFERENCE[axis] - max(point[axis] for point in chosen) for axis in (1, 2)]
            total += (-1) ** (count + 1) * max(height, 0) * max(sides[0], 0) * max(sides[1], 0)
    return total


def enlargements(
    front: list[Point], mean: list[float], sd: float, costs: list[tuple[float, float]]
) -> list[float]:
    rows = np.array(front, float).reshape(-1, 3)
    found = expected_enlargement(
        rows, np.array(mean), np.full(len(mean), sd), np.array(costs, float), np.array(REFERENCE)
    )
    return [float(value) for value in found]


@given(st.lists(POINTS, max_size=6), POINTS)
@settings(max_examples=100, deadline=None)
def test_of_a_certain_fitness_it_is_the_volume_that_the_network_adds(
    front: list[Point], newcomer: Point
) -> None:
    added = volume([*front, newcomer]) - volume(front)
    [found] = enlargements(front, [newcomer[0]], 1e-9, [newcomer[1:]])
    assert found == pytest.approx(added, abs=1e-6)


@given(st.lists(POINTS, max_size=5), POINTS, st.floats(0.2, 2.0))
@settings(max_examples=25, deadline=None)
def test_of_an_uncertain_one_it_is_the_mean_over_what_it_may_come_to(
    front: list[Point], newcomer: Point, sd: float
) -> None:
    quantiles = norm.ppf((np.arange(400) + 0.5) / 400, newcomer[0], sd)
    added = [volume([*front, (value, *newcomer[1:])]) - volume(front) for value in quantiles]
    [found] = enlargements(front, [newcomer[0]], sd, [newcomer[1:]])
    assert found == pytest.approx(np.mean(added), abs=0.01 * sd * 36)


def test_each_network_is_judged_for_itself() -> None:
    front = [(3.0, 2.0, 2.0), (5.0, 4.0, 3.0)]
    costs = [(1.0, 1.0), (3.0, 5.0), (7.0, 1.0)]
    together = enlargements(front, [2.0, 4.0, 9.0], 0.7, costs)
    alone = [
        enlargements(front, [mean], 0.7, [cost])[0] for mean, cost in zip([2.0, 4.0, 9.0], costs, strict=True)
    ]
    assert together == pytest.approx(alone)
    assert together[2] == 0, "what costs more than the reference adds nothing"
