from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvnsearch.search.trainings.foretelling import FEWEST_WHOLE, Foretelling


def _followed(pairs: list[tuple[float, float]]) -> Foretelling:
    foretelling = Foretelling()
    for number, (early, end) in enumerate(pairs):
        foretelling.observe(number, 0.6, early)
        foretelling.observe(number, 1.0, end)
    return foretelling


def _scattered(count: int, slope: float, scatter: float) -> list[tuple[float, float]]:
    rng = random.Random(0)
    early = [rng.random() for _ in range(count)]
    return [(value, 0.5 + slope * value + rng.gauss(0, scatter)) for value in early]


@pytest.mark.parametrize("slope", [0.3, 1.0, 1.7])
def test_with_many_whole_trainings_it_is_the_line_of_least_squares(slope: float) -> None:
    pairs = _scattered(400, slope, scatter=0.2)
    expected = np.polyval(np.polyfit(*np.array(pairs).T, 1), 0.8)
    found = _followed(pairs).end(-1, 0.6, 0.8)
    assert found.mean == pytest.approx(expected, abs=0.01)
    assert found.sd == pytest.approx(0.2, rel=0.1)


def test_few_whole_trainings_are_not_believed_to_be_on_a_line() -> None:
    pairs = [(0.1, 0.2), (0.2, 0.3), (0.9, 1.0)]
    few, many = _followed(pairs).end(-1, 0.6, 0.5), _followed(pairs * 20).end(-1, 0.6, 0.5)
    assert few.mean == pytest.approx(many.mean) == pytest.approx(0.6)
    assert few.sd > 2 * many.sd


def test_it_is_ready_and_knows_the_best_by_whole_trainings_alone() -> None:
    foretelling = Foretelling()
    for number in range(FEWEST_WHOLE):
        assert not foretelling.ready
        foretelling.observe(99, 0.6, 5.0)
        foretelling.observe(number, 1.0, float(number))
    assert foretelling.ready and foretelling.best == FEWEST_WHOLE - 1


def test_where_no_whole_training_was_seen_it_expects_the_best_and_is_unsure() -> None:
    foretelling = _followed([(0.1, 0.2), (0.2, 0.3), (0.9, 1.0)])
    assert foretelling.end(-1, 0.3, 0.1).mean == 1.0
    assert foretelling.end(-1, 0.3, 0.1).sd > 0.2


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=3, max_size=12), st.randoms())
def test_the_order_of_observations_does_not_matter(
    pairs: list[tuple[float, float]], rng: random.Random
) -> None:
    told = [(number, share, pair[share == 1]) for number, pair in enumerate(pairs) for share in (0.6, 1.0)]
    shuffled = Foretelling()
    for one in rng.sample(told, len(told)):
        shuffled.observe(*one)
    found, other = shuffled.end(-1, 0.6, 0.7), _followed(pairs).end(-1, 0.6, 0.7)
    assert found.mean == pytest.approx(other.mean) and found.sd == pytest.approx(other.sd)
