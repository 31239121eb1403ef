"""Workers that cannot be had: a cluster that has shrunk, seen without one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from tests.search.fakes import NoProcess
from tvnsearch.search.executors import ParallelExecutor, RemoteWorker
from tvnsearch.search.executors.executor import NoRoomError, WorkerLostError
from tvnsearch.workers import Progress


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
