from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import make_plan
from tvnsearch.errors import UserError
from tvnsearch.search import Budget, SearchPlan, scale_to_minutes
from tvnsearch.search.plan import plan_of
from tvnsearch.search.settings import changed, settings_of


def test_a_plan_survives_json() -> None:
    plan = make_plan(minutes=2.5, data="clips", threads=2)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=SearchPlan) == plan


def test_the_defaults_are_the_papers() -> None:
    plan = plan_of(settings_of({"max_ms": 50}), make_plan().space, classes=2)
    assert (plan.search.population, plan.search.tournament, plan.training.iterations) == (200, 50, 10_000)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"population": 0, "tournament": 0}, "expected population of at least 1, but got 0"),
        ({"population": 10, "tournament": 50}, "expected a tournament no larger than the population"),
        ({"trainings": 0}, "expected trainings of at least 1, but got 0"),
        ({"minutes": 0.0}, "expected more than 0 minutes and an end, but got 0.0"),
        ({"minutes": float("inf")}, "expected more than 0 minutes and an end, but got inf"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        make_plan(**changes)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_ms": 0.0}, "expected a budget over 0 ms, but got 0.0; give a larger --max-ms"),
        ({"max_ms": float("nan")}, "expected a budget over 0 ms, but got nan"),
        ({"max_ms": float("inf")}, "expected a budget that ends, but got inf ms; give a smaller --max-ms"),
        ({"max_ms": 5.0, "max_params": 0}, "over 0 parameters, but got 0; give a larger --max-params"),
        ({"max_ms": 5.0, "max_gflops": -1.0}, "over 0 GFLOPs, but got -1.0; give a larger --max-gflops"),
        ({"max_ms": 5.0, "max_mb": 0.0}, "over 0 MB, but got 0.0; give a larger --max-mb"),
    ],
)
def test_a_budget_of_nothing_is_refused(limits: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Budget(**limits)


@given(st.floats(0.5, 10_000), st.floats(1e-4, 10), st.floats(0, 10), st.integers(1, 16))
def test_a_scaled_plan_is_no_larger_and_fits_its_time(
    minutes: float, seconds_per_iteration: float, seconds_per_candidate: float, workers: int
) -> None:
    plan = make_plan(population=200, tournament=50, trainings=1000)
    scaled = scale_to_minutes(plan, minutes, seconds_per_iteration, seconds_per_candidate, workers)
    assert scaled.search.minutes == minutes
    assert scaled.search.trainings <= plan.search.trainings
    assert scaled.training.iterations == plan.training.iterations
    assert scaled.search.trainings >= 24
    if scaled.seconds_per_training is None:
        assert scaled == changed(plan, minutes=minutes)
        return
    assert scaled.search.population <= scaled.search.trainings // 3
    seconds = scaled.search.trainings * (scaled.seconds_per_training / workers + seconds_per_candidate)
    assert scaled.seconds_per_training == 1.0 or seconds <= minutes * 60 * 1.001


def test_a_plan_that_fits_its_time_is_not_shrunk() -> None:
    plan = make_plan(population=200, tournament=50, trainings=300)
    scaled = scale_to_minutes(plan, minutes=1e6, seconds_per_iteration=0.001)
    assert scaled == changed(plan, minutes=1e6)
