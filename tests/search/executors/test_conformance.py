"""What every executor does, whatever its workers are: real processes, here or on a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.search.executors.ray_nodes import cluster
from tvnsearch.errors import UserError
from tvnsearch.search.executors import Executor, RemoteWorker, open_executor
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import WorkerDiedError, WorkerFailedError

MODULE = "tests.echo_worker"
Open = Callable[[], AbstractContextManager[Executor]]


@pytest.fixture(
    params=["serial", "parallel", pytest.param("ray", marks=pytest.mark.slow)],
    scope="module",
)
def open_one(request: pytest.FixtureRequest) -> Iterator[Open]:
    if request.param == "serial":
        yield lambda: open_executor(Workforce(), MODULE)
    elif request.param == "parallel":
        yield lambda: open_executor(Workforce(workers=2), MODULE)
    else:
        with cluster(nodes=2) as nodes:
            yield lambda: open_executor(Workforce(2, "ray", nodes.address), MODULE)


@pytest.fixture
def executor(open_one: Open) -> Iterator[Executor]:
    with open_one() as executor:
        yield executor


def echo(worker: RemoteWorker, value: object, told: list[Any] | None = None) -> Any:
    return worker.call("echo", {"value": value}, None if told is None else told.append)


def call(worker: RemoteWorker, method: str) -> Any:
    return worker.call(method, {})


def die_once(worker: RemoteWorker, mark: Path) -> int:
    return int(worker.call("die_once", {"mark": str(mark)}))


def tick(worker: RemoteWorker, file: Path, seconds: float, told: list[Any]) -> int:
    return int(worker.call("tick", {"file": str(file), "seconds": seconds}, told.append))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_results_come_in_futures_from_other_processes(executor: Executor) -> None:
    futures = [executor.submit(echo, value=value) for value in range(6)]
    answers = [future.result() for future in futures]
    assert [answer["value"] for answer in answers] == list(range(6))
    pids = {answer["pid"] for answer in answers}
    assert os.getpid() not in pids
    assert len(pids) <= executor.workers


def test_waiting_ends_when_one_is_done(executor: Executor) -> None:
    futures = [executor.submit(echo, value) for value in range(3)]
    executor.wait(futures, timeout_seconds=60)
    assert any(future.done() for future in futures)


def test_what_a_job_raises_is_raised_where_its_result_is_asked_for(executor: Executor) -> None:
    refused, failed = executor.submit(call, "refuse"), executor.submit(call, "fail")
    with pytest.raises(UserError, match="expected more, got less"):
        refused.result()
    with pytest.raises(WorkerFailedError, match="ValueError: a bug"):
        failed.result()
    assert executor.submit(echo, 1).result()["value"] == 1


def test_the_job_of_a_worker_that_dies_is_given_to_another(executor: Executor, tmp_path: Path) -> None:
    futures = [executor.submit(die_once, tmp_path / str(number)) for number in range(3)]
    pids = [future.result() for future in futures]
    assert all((tmp_path / str(number)).exists() for number in range(3))
    assert os.getpid() not in pids


def test_a_job_that_workers_die_of_is_given_up_and_others_go_on(executor: Executor) -> None:
    deadly, harmless = executor.submit(call, "die"), executor.submit(echo, 2)
    with pytest.raises(WorkerDiedError, match="code 7"):
        deadly.result()
    assert harmless.result()["value"] == 2
    assert executor.submit(echo, 3).result()["value"] == 3


def test_workers_stand_still_during_a_measurement(executor: Executor, tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(2)]
    told: list[Any] = []
    futures = [executor.submit(tick, file, 0.8, told) for file in files]
    while not told and not all(future.done() for future in futures):
        executor.wait(futures, timeout_seconds=0.01)
    with executor.standing_still():
        time.sleep(0.1)  # signals take a moment
        sizes = [file.stat().st_size if file.exists() else 0 for file in files]
        time.sleep(0.2)
        assert sizes == [file.stat().st_size if file.exists() else 0 for file in files]
    for future, file in zip(futures, files, strict=True):
        assert str(future.result()) in file.read_text()
    assert {state["pid"] for state in told} == {future.result() for future in futures}


def test_shutdown_ends_the_workers_and_what_they_do(open_one: Open, tmp_path: Path) -> None:
    with open_one() as executor:
        pid = executor.submit(echo, 0).result()["pid"]
        if executor.workers > 1:
            told: list[Any] = []
            futures = [executor.submit(tick, tmp_path / str(place), 60, told) for place in range(3)]
            while not told:
                time.sleep(0.01)
            executor.shutdown()
            for future in futures:
                with pytest.raises((WorkerDiedError, CancelledError)):
                    future.result(timeout=30)
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)


def test_what_is_no_executor_is_a_sentence() -> None:
    with pytest.raises(UserError, match="expected an executor of local, ray, but got 'slurm'"):
        Workforce(executor="slurm")
    with pytest.raises(UserError, match="expected 1 worker or more, but got 0"):
        Workforce(workers=0)
