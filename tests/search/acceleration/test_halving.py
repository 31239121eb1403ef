from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tvnsearch.search.acceleration import SuccessiveHalving, halving_rungs
from tvnsearch.search.acceleration.halving import CONTROL_EVERY, UNOPPOSED, RungResult

ITERATIONS = 90
RUNGS = (10, 30)

Curve = Callable[[int, int], float]


def _train(halving: SuccessiveHalving, number: int, curve: Curve, said: list[str] | None = None) -> int:
    """The iterations that individual ``number`` is trained for."""
    for iterations in (*halving.rungs, ITERATIONS):
        decision, line = halving.report(RungResult(number, iterations, curve(number, iterations)))
        if said is not None and line is not None:
            said.append(line)
        if decision == "stop":
            return iterations
    raise AssertionError("nothing stops a training behind its end")


def _honest(number: int, iterations: int) -> float:
    """What is best at the end was best all along."""
    return random.Random(number).random() * iterations


def test_rungs_lie_a_factor_apart_below_the_full_length() -> None:
    assert halving_rungs(90) == (10, 30)
    assert halving_rungs(10_000) == (1112, 3334)
    assert halving_rungs(1) == ()


def test_most_are_stopped_and_the_best_are_not() -> None:
    halving = SuccessiveHalving(RUNGS, ITERATIONS)
    trained = {number: _train(halving, number, _honest) for number in range(200)}
    best = sorted(trained, key=lambda number: _honest(number, ITERATIONS))[-10:]
    assert all(trained[number] == ITERATIONS for number in best)
    assert sum(trained.values()) < 0.45 * 200 * ITERATIONS
    assert sum(iterations == RUNGS[0] for iterations in trained.values()) > 100


def test_controls_are_never_stopped() -> None:
    halving = SuccessiveHalving(RUNGS, ITERATIONS)
    trained = [
        _train(halving, number, lambda number, iterations: iterations - number) for number in range(40)
    ]
    controls = {*range(UNOPPOSED), *range(0, 40, CONTROL_EVERY)}
    assert {number for number, iterations in enumerate(trained) if iterations == ITERATIONS} == controls


def test_curves_that_mislead_switch_it_off_with_a_line() -> None:
    halving, said = SuccessiveHalving(RUNGS, ITERATIONS), list[str]()

    def crossing(number: int, iterations: int) -> float:
        value = random.Random(number).random()
        return -value if iterations == ITERATIONS else value

    trained = [_train(halving, number, crossing, said) for number in range(150)]
    assert len(said) == 1 and said[0].startswith("early stopping is switched off")
    assert not halving.active
    assert trained[-20:] == [ITERATIONS] * 20


def test_honest_curves_keep_it_on() -> None:
    halving = SuccessiveHalving(RUNGS, ITERATIONS)
    for number in range(300):
        _train(halving, number, _honest)
    assert halving.active and halving.kendall is not None and halving.kendall > 0.9


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 2)), max_size=60), st.integers(0, 60))
@settings(max_examples=50, deadline=None)
def test_replayed_reports_lead_to_the_same_decisions(told: list[tuple[int, float]], cut: int) -> None:
    """Trainings run side by side: reports of several individuals come in any order."""
    stops, at = (*RUNGS, ITERATIONS), dict[int, int]()
    results = []
    for number, fitness in told:
        place = at.get(number, 0)
        if place < len(stops):
            at[number] = place + 1
            results.append(RungResult(number, stops[place], fitness))
    whole = SuccessiveHalving(RUNGS, ITERATIONS)
    decisions = [whole.report(result) for result in results]
    resumed = SuccessiveHalving(RUNGS, ITERATIONS)
    for result in results[:cut]:
        resumed.report(result)
    assert [resumed.report(result) for result in results[cut:]] == decisions[cut:]


@pytest.mark.parametrize("iterations", [7, 91])
def test_a_report_between_the_rungs_is_refused(iterations: int) -> None:
    with pytest.raises(ValueError, match="at one of the rungs"):
        SuccessiveHalving(RUNGS, ITERATIONS).report(RungResult(0, iterations, 1.0))


def test_a_second_report_of_the_same_is_refused() -> None:
    halving = SuccessiveHalving(RUNGS, ITERATIONS)
    halving.report(RungResult(0, 10, 1.0))
    with pytest.raises(ValueError, match="report each rung once"):
        halving.report(RungResult(0, 10, 1.0))


@pytest.mark.parametrize("rungs", [(), (30, 10), (10, 90), (0, 10), (10, 10)])
def test_rungs_that_are_none_are_refused(rungs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending rungs"):
        SuccessiveHalving(rungs, ITERATIONS)
