"""Failures that are nobody's fault, by a clock that is set by hand."""

from __future__ import annotations

from tvnsearch.search.trainings.patience import MOST_OF_ONE, PAUSES_SECONDS, Patience


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_pauses_grow_until_it_is_over() -> None:
    clock = Clock()
    patience = Patience(clock)
    waited = []
    while not patience.is_over:
        assert not patience.failed(len(waited), clock.seconds)
        waited.append(patience.wait_seconds)
        clock.seconds += patience.wait_seconds + 1
    assert waited == [*PAUSES_SECONDS, PAUSES_SECONDS[-1]]


def test_many_workers_that_fail_together_are_one_round() -> None:
    clock = Clock()
    patience, began = Patience(clock), clock.seconds - 5
    for number in range(20):
        clock.seconds += 0.1
        patience.failed(number, began)
    assert not patience.is_over
    assert 0 < patience.wait_seconds < PAUSES_SECONDS[0]
    assert str(patience.lost(OSError("full"), "so it goes on")).startswith(
        "expected trainings to work, but 20 in a row ended for what is none of the networks' fault (full); "
        "mend that, and so it goes on"
    )


def test_one_that_fails_while_others_succeed_is_to_blame() -> None:
    clock = Clock()
    patience = Patience(clock)
    blamed = []
    for _ in range(MOST_OF_ONE):
        blamed.append(patience.failed(7, clock.seconds))
        clock.seconds += 100
        patience.succeeded()
    assert blamed == [False] * (MOST_OF_ONE - 1) + [True]
    assert patience.wait_seconds == 0


def test_nobody_is_to_blame_where_nothing_works() -> None:
    clock = Clock()
    patience = Patience(clock)
    for _ in range(len(PAUSES_SECONDS)):
        assert not patience.failed(7, clock.seconds)
        clock.seconds += 100
    assert not patience.is_over
