"""What the pool makes of workers that cannot be had, of machines that fail, and of measurements."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from tests.search.fakes import NoProcess
from tvnsearch.search.executors import ParallelExecutor, RemoteWorker, SerialExecutor
from tvnsearch.search.executors.executor import NoRoomError, TryElsewhereError, WorkerLostError
from tvnsearch.search.executors.worker_pool import MOST_FAILING_MACHINES, WorkerPool
from tvnsearch.workers import EnvironmentFailedError, Progress


class Cluster:
    """Has room for one worker; a first machine of two is lost in its first job."""

    def __init__(self) -> None:
        self.held: list[Machine] = []
        self.lost = threading.Event()

    def start(self) -> RemoteWorker:
        return Machine(self)


class Machine(NoProcess):
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        held = self._cluster.held
        if self not in held:
            if len(held) == (1 if self._cluster.lost.is_set() else 2):
                raise NoRoomError("full")
            held.append(self)
        if not self._cluster.lost.is_set() and held.index(self) == 1:
            held.remove(self)
            self._cluster.lost.set()
            raise WorkerLostError("gone")
        self._cluster.lost.wait(10)
        return params["value"]

    def close(self) -> None:
        if self in self._cluster.held:
            self._cluster.held.remove(self)


def echo(worker: RemoteWorker, value: int) -> int:
    return int(worker.call("echo", {"value": value}))


def test_jobs_of_a_lost_machine_are_done_by_those_that_are_left() -> None:
    cluster = Cluster()
    executor = ParallelExecutor(cluster.start, workers=2)
    futures = [executor.submit(echo, value) for value in range(20)]
    assert [future.result(timeout=20) for future in futures] == list(range(20))
    assert len(cluster.held) == 1
    executor.shutdown()
    assert not cluster.held


class Patient(NoProcess):
    """Gets its place with its third call."""

    def __init__(self) -> None:
        self.calls = 0
        self.is_closed = False

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        self.calls += 1
        if self.calls < 3:
            raise NoRoomError("full")
        return params["value"]

    def close(self) -> None:
        self.is_closed = True


def test_a_worker_that_waits_for_room_is_kept_and_asked_again() -> None:
    started: list[Patient] = []

    def start() -> RemoteWorker:
        started.append(Patient())
        return started[-1]

    executor = ParallelExecutor(start, workers=1)
    assert executor.submit(echo, 5).result(timeout=20) == 5
    assert [(worker.calls, worker.is_closed) for worker in started] == [(3, False)]
    executor.shutdown()
    assert started[0].is_closed


class Failing(NoProcess):
    """Raises what it is given, and counts how often."""

    def __init__(self, errors: list[Exception], closed: list[Any]) -> None:
        self._errors = errors
        self._closed = closed

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        if self._errors:
            raise self._errors.pop(0)
        return params["value"]

    def close(self) -> None:
        self._closed.append(self)


def test_what_a_machine_failed_is_tried_elsewhere() -> None:
    closed: list[Any] = []
    errors: list[Exception] = [TryElsewhereError("disk full"), TryElsewhereError("no such folder")]
    executor = ParallelExecutor(lambda: Failing(errors, closed), workers=1)
    assert executor.submit(echo, 7).result(timeout=20) == 7
    assert len(closed) == 2
    executor.shutdown()


def test_what_all_machines_fail_goes_up() -> None:
    errors: list[Exception] = [TryElsewhereError(f"disk full, {place}") for place in range(10)]
    executor = ParallelExecutor(lambda: Failing(errors, []), workers=1)
    with pytest.raises(EnvironmentFailedError, match="disk full, 3"):
        executor.submit(echo, 7).result(timeout=20)
    assert len(errors) == 10 - MOST_FAILING_MACHINES
    executor.shutdown()


def test_what_fails_on_the_only_machine_goes_up_at_once() -> None:
    errors: list[Exception] = [EnvironmentFailedError("disk full"), EnvironmentFailedError("again")]
    executor = SerialExecutor(lambda: Failing(errors, []))
    with pytest.raises(EnvironmentFailedError, match="disk full"):
        executor.submit(echo, 7).result()
    assert len(errors) == 1
    executor.shutdown()


class Standing(NoProcess):
    """Knows whether it stands still; one that is ``stubborn`` fails whatever it is told."""

    def __init__(self, stubborn: bool) -> None:
        self.stubborn = stubborn
        self.stands_still = False

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        return params["met"].wait(10)

    def pause(self) -> None:
        self.stands_still = True
        if self.stubborn:
            raise ConnectionError("the cluster is gone")

    def resume(self) -> None:
        self.stands_still = False
        if self.stubborn:
            raise ConnectionError("the cluster is gone")


def meet(worker: RemoteWorker, met: threading.Barrier) -> None:
    worker.call("meet", {"met": met})


def test_workers_go_on_also_if_one_could_not_be_told() -> None:
    started: list[Standing] = []

    def start() -> RemoteWorker:
        started.append(Standing(stubborn=len(started) == 1))
        return started[-1]

    pool, met = WorkerPool(start), threading.Barrier(3)
    jobs = [threading.Thread(target=pool.run, args=(meet, met)) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(timeout=20)
    assert len(started) == 3
    with pytest.raises(ConnectionError), pool.standing_still():
        raise AssertionError("nothing is measured beside a worker that may be running")
    assert not any(worker.stands_still for worker in started)
    assert pool.run(lambda worker: "goes on") == "goes on"
