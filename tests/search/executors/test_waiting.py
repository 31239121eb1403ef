"""Who waits for room says so, and not for ever."""

from __future__ import annotations

import pytest

from tvnsearch.errors import UserError
from tvnsearch.search.executors.waiting import NO_WORKER_SECONDS, Waiting


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_that_a_worker_waits_is_said_once_with_what_it_needs() -> None:
    said: list[str] = []
    waiting = Waiting(said.append)
    waiting.joined()
    for _ in range(3):
        waiting.lacks("4 core(s) and 1 GPU(s)")
    assert len(said) == 1
    assert (
        "waits until a machine of the Ray cluster has room for it (4 core(s) and 1 GPU(s)); the 1" in said[0]
    )


def test_that_nobody_works_at_all_is_said_besides() -> None:
    said: list[str] = []
    waiting = Waiting(said.append)
    waiting.joined()
    waiting.lacks("1 core(s)")
    waiting.left()
    waiting.lacks("1 core(s)")
    waiting.lacks("1 core(s)")
    assert len(said) == 2
    assert said[1].startswith("no machine of the Ray cluster has room for a worker (1 core(s))")


def test_without_any_worker_it_ends_with_a_sentence() -> None:
    clock = Clock()
    waiting = Waiting(lambda _: None, clock)
    waiting.lacks("1 core(s)")
    clock.seconds = NO_WORKER_SECONDS - 1
    waiting.lacks("1 core(s)")
    clock.seconds = NO_WORKER_SECONDS
    with pytest.raises(
        UserError, match=r"expected room for a worker .* none for 60 minutes; .*resume the run"
    ):
        waiting.lacks("1 core(s)")


def test_as_long_as_one_works_the_others_may_wait() -> None:
    clock = Clock()
    waiting = Waiting(lambda _: None, clock)
    waiting.lacks("1 core(s)")
    clock.seconds = NO_WORKER_SECONDS - 1
    waiting.joined()
    clock.seconds = 10 * NO_WORKER_SECONDS
    waiting.lacks("1 core(s)")
    waiting.left()
    waiting.lacks("1 core(s)")  # the time begins here
    clock.seconds += NO_WORKER_SECONDS - 1
    waiting.lacks("1 core(s)")
    clock.seconds += 1
    with pytest.raises(UserError, match="none for 60 minutes"):
        waiting.lacks("1 core(s)")
