from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tvnsearch.search.trainings.early_stopping import CONTROL_EVERY, MOST_PAUSED, EarlyStopping, rungs_of
from tvnsearch.search.trainings.results import RungResult

ITERATIONS = 90
RUNGS = (30, 54)

Curve = Callable[[int, int], float]


def _train(stopping: EarlyStopping, number: int, curve: Curve, said: list[str] | None = None) -> int:
    """The iterations after which individual ``number`` is paused, or has ended."""
    for iterations in (*stopping.rungs, ITERATIONS):
        result = RungResult(number, iterations, curve(number, iterations))
        is_hopeless = iterations < ITERATIONS and stopping.is_hopeless(result)
        line = stopping.report(result)
        if said is not None and line is not None:
            said.append(line)
        if is_hopeless:
            stopping.pause(number)
            return iterations
    return ITERATIONS


def _honest(number: int, iterations: int) -> float:
    """What is best at the end was best all along."""
    return random.Random(number).random() * iterations / ITERATIONS


def test_rungs_lie_below_the_full_length() -> None:
    assert rungs_of(90) == (54,)
    assert rungs_of(10_000) == (6000,)
    assert rungs_of(2) == (1,)
    assert rungs_of(1) == ()


def test_most_are_paused_and_the_best_are_not() -> None:
    stopping = EarlyStopping(RUNGS, ITERATIONS)
    trained = {number: _train(stopping, number, _honest) for number in range(200)}
    best = sorted(trained, key=lambda number: _honest(number, ITERATIONS))[-3:]
    assert all(trained[number] == ITERATIONS for number in best)
    assert sum(trained.values()) < 0.65 * 200 * ITERATIONS


def test_controls_are_never_paused() -> None:
    stopping = EarlyStopping(RUNGS, ITERATIONS)
    trained = [
        _train(stopping, number, lambda number, iterations: iterations - number) for number in range(64)
    ]
    assert all(trained[number] == ITERATIONS for number in range(0, 64, CONTROL_EVERY))
    assert trained[-1] < ITERATIONS


def test_what_is_paused_goes_on_once_it_may_be_the_best() -> None:
    """At first all curves are flat; then trainings get far better or far worse towards their end."""
    stopping = EarlyStopping((54,), ITERATIONS)
    for number in range(3):
        for iterations in (54, ITERATIONS):
            stopping.report(RungResult(number, iterations, 1 - 0.1 * number))
    for number in (3, 4):
        result = RungResult(number, 54, 0.7 - 0.05 * number)
        assert stopping.is_hopeless(result)
        stopping.report(result)
        assert stopping.is_hopeless(result), "that it was reported changes nothing"
        stopping.pause(number)
    assert stopping.next_promotion() is None
    for number in range(5, 13):
        stopping.report(RungResult(number, 54, 1.0))
        stopping.report(RungResult(number, ITERATIONS, 1.0 + 0.4 * (-1) ** number))
    assert stopping.next_promotion() == 3
    stopping.promote(3)
    assert stopping.paused == {4}


def _known_whole(stopping: EarlyStopping) -> None:
    """Trainings that end as they begin: a fast one of 0.5, a slow and larger one of 1, and one between."""
    for number, (value, costs) in enumerate([(0.5, (1.0, 10.0)), (0.8, (5.0, 50.0)), (1.0, (9.0, 90.0))]):
        for iterations in (54, ITERATIONS):
            stopping.report(RungResult(number, iterations, value, costs))


@pytest.mark.parametrize(
    ("costs", "is_hopeless"),
    [
        ((9.0, 90.0), True),
        ((1.0, 10.0), True),
        ((0.9, 200.0), False),
        ((20.0, 9.0), False),
        ((0.5, 5.0), False),
    ],
)
def test_on_a_front_only_what_costs_as_much_stands_in_the_way(
    costs: tuple[float, float], is_hopeless: bool
) -> None:
    """A fitness far under all that is known; what is faster or smaller than all is on the front even so."""
    stopping = EarlyStopping((54,), ITERATIONS)
    _known_whole(stopping)
    assert stopping.is_hopeless(RungResult(3, 54, -1.0, costs)) == is_hopeless


def test_a_fast_network_need_not_be_as_fit_as_slow_ones() -> None:
    stopping = EarlyStopping((54,), ITERATIONS)
    for number in range(12):
        cost = 1.0 + number
        for iterations in (54, ITERATIONS):
            stopping.report(RungResult(number, iterations, 0.1 * number, (cost, cost)))
    assert not stopping.is_hopeless(RungResult(12, 54, 0.3, (2.0, 2.0)))
    assert stopping.is_hopeless(RungResult(12, 54, 0.3, (12.0, 12.0)))


def test_of_paused_ones_that_goes_on_which_is_nearest_to_the_front() -> None:
    """Not the fittest, which what costs as much is ahead of by more; the unlucky one is given up last."""
    stopping = EarlyStopping((54,), ITERATIONS)
    for number in range(12):
        cost = 1.0 + number
        for iterations in (54, ITERATIONS):
            stopping.report(RungResult(number, iterations, 1.0 + 0.2 * number, (cost, cost)))
    for number, value, cost in [(12, 1.9, 11.5), (13, 0.4, 1.5)]:
        result = RungResult(number, 54, value, (cost, cost))
        assert stopping.is_hopeless(result)
        stopping.report(result)
        stopping.pause(number)
    for number in range(14, 30):
        cost = 20.0 + number
        stopping.report(RungResult(number, 54, 1.0, (cost, cost)))
        stopping.report(RungResult(number, ITERATIONS, 1.0 + 1.2 * (-1) ** number, (cost, cost)))
    assert stopping.next_promotion() == 13


def test_only_the_most_hopeful_stay_paused() -> None:
    stopping = EarlyStopping(RUNGS, ITERATIONS)
    trained = [_train(stopping, number, lambda number, iterations: -float(number)) for number in range(60)]
    paused = [number for number, iterations in enumerate(trained) if iterations < ITERATIONS]
    assert len(paused) > MOST_PAUSED
    assert stopping.paused == set(paused[:MOST_PAUSED])


def test_curves_that_mislead_switch_it_off_with_a_line() -> None:
    stopping, said = EarlyStopping(RUNGS, ITERATIONS), list[str]()

    def crossing(number: int, iterations: int) -> float:
        value = random.Random(number).random()
        return -value if iterations == ITERATIONS else value

    trained = [_train(stopping, number, crossing, said) for number in range(500)]
    assert len(said) == 1 and said[0].startswith("early stopping is switched off")
    assert not stopping.active
    assert trained[-20:] == [ITERATIONS] * 20


def test_honest_curves_keep_it_on() -> None:
    stopping = EarlyStopping(RUNGS, ITERATIONS)
    for number in range(400):
        _train(stopping, number, _honest)
    assert stopping.active and stopping.kendall is not None and stopping.kendall > 0.9


@pytest.mark.parametrize("iterations", [7, 91])
def test_a_report_between_the_rungs_is_refused(iterations: int) -> None:
    with pytest.raises(ValueError, match="at one of the rungs"):
        EarlyStopping(RUNGS, ITERATIONS).report(RungResult(0, iterations, 1.0))


def test_a_second_report_of_the_same_is_refused() -> None:
    stopping = EarlyStopping(RUNGS, ITERATIONS)
    stopping.report(RungResult(0, 30, 1.0))
    with pytest.raises(ValueError, match="report each once"):
        stopping.report(RungResult(0, 30, 1.0))


@pytest.mark.parametrize("rungs", [(), (30, 10), (10, 90), (0, 10), (10, 10)])
def test_rungs_that_are_none_are_refused(rungs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending rungs"):
        EarlyStopping(rungs, ITERATIONS)
