"""How many threads each training gets, as its process is told, and how they wait for each other."""

from __future__ import annotations

from typing import Any

import pytest

from tvnsearch import cores
from tvnsearch.errors import UserError
from tvnsearch.search.executors import RemoteWorker, open_executor
from tvnsearch.search.settings import Workforce

MODULE = "tests.echo_worker"
NAMES = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"]


def environment(worker: RemoteWorker) -> Any:
    return worker.call("environment", {"names": NAMES})


@pytest.mark.parametrize(
    ("asked", "workforce", "threads"),
    [
        (None, Workforce(), "6"),
        (None, Workforce(workers=2), "3"),
        ("1", Workforce(), "1"),
        ("2", Workforce(workers=2), "2"),
        ("1", Workforce(workers=2, train_threads=5), "5"),
        (None, Workforce(train_threads=1), "1"),
    ],
)
def test_the_option_wins_over_the_environment_which_bounds_the_share(
    asked: str | None, workforce: Workforce, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "usable_threads", lambda: 6)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    with open_executor(workforce, MODULE) as executor:
        told = executor.submit(environment).result()
    assert told == {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}


def test_no_thread_is_a_sentence() -> None:
    with pytest.raises(
        UserError, match="expected 1 thread or more for each training, but got 0; say --train-"
    ):
        Workforce(train_threads=0)
