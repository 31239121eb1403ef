from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from predictors.rejection import chance_to_keep, smallest_rejected

logs = st.floats(-1, 1).map(lambda value: round(value, 2))
some = arrays(float, st.integers(1, 30), elements=logs)


@given(ratios=some, errors=some)
def test_chances_are_the_share_of_errors_that_reach_down_to_the_budget(
    ratios: np.ndarray, errors: np.ndarray
) -> None:
    for ratio, chance in zip(ratios, chance_to_keep(ratios, errors), strict=True):
        seen = [*errors, min(errors)]
        assert chance == pytest.approx(np.mean([ratio + error <= 0 for error in seen]))


def test_where_no_error_is_known_everything_may_keep_the_budget() -> None:
    assert chance_to_keep(np.array([-1.0, 3.0]), np.array([])).tolist() == [1.0, 1.0]


@given(ratios=some, errors=some, lost_share=st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_rejected_is_as_much_as_may_be_lost_and_no_more(
    ratios: np.ndarray, errors: np.ndarray, lost_share: float
) -> None:
    chances = chance_to_keep(ratios, errors)

    def loses(from_ratio: float) -> float:
        return float(chances[ratios >= from_ratio].sum())

    smallest = smallest_rejected(ratios, chances, lost_share)
    assert smallest > 0
    assert loses(smallest) <= lost_share * chances.sum() + 1e-9
    for ratio in ratios[(ratios > 0) & (ratios < smallest)]:
        assert loses(ratio) > lost_share * chances.sum() - 1e-9


def test_nothing_is_rejected_where_all_are_predicted_to_keep_the_budget() -> None:
    ratios = np.linspace(-1, 0, 50)
    assert smallest_rejected(ratios, chance_to_keep(ratios, np.array([0.1])), 0.5) == math.inf
    assert smallest_rejected(np.array([]), np.array([]), 0.5) == math.inf


@pytest.mark.parametrize("crowd", [0.05, 0.3, 2.0])
def test_new_networks_that_keep_the_budget_are_lost_as_seldom_as_asked(crowd: float) -> None:
    rng = np.random.default_rng(0)
    lost_share, lost, kept, rejected, surely_lost, surely_rejected = 0.02, 0, 0, 0, 0, 0
    for _ in range(40):
        met, errors = rng.normal(0, crowd, 500), rng.normal(0, 0.04, 300)
        smallest = smallest_rejected(met, chance_to_keep(met, errors), lost_share)
        new = rng.normal(0, crowd, 5000)
        truth = new + rng.normal(0, 0.04, 5000)
        is_surely_over = new >= np.quantile(-errors, 1 - lost_share)
        kept += int((truth <= 0).sum())
        lost += int(((new >= smallest) & (truth <= 0)).sum())
        surely_lost += int((is_surely_over & (truth <= 0)).sum())
        rejected += int(((new >= smallest) & (truth > 0.1)).sum())
        surely_rejected += int((is_surely_over & (truth > 0.1)).sum())
    assert surely_lost / kept < lost / kept < 1.2 * lost_share
    assert rejected > surely_rejected
