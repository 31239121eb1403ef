"""Workers that are started when needed, replaced when they die, and stopped together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from tvnsearch.search.executors.executor import (
    ClusterLostError,
    NoRoomError,
    RemoteWorker,
    StartWorker,
    TryElsewhereError,
    WorkerLostError,
)
from tvnsearch.workers import EnvironmentFailedError, WorkerDiedError

P = ParamSpec("P")
T = TypeVar("T")

MOST_DEATHS = 2
"""A job that so many workers died of is given up: it is likely to be what they die of."""

MOST_LOSSES = 10
"""Machines may go for reasons of their own; but a cluster that loses so many in one job is no help."""

MOST_FAILING_MACHINES = 4
"""A job that so many machines failed for what is around it is given up: they share what is broken."""


class WorkerPool:
    """As many workers as jobs run at once; several threads may run jobs."""

    def __init__(self, start: StartWorker) -> None:
        self._start = start
        self._changed = threading.Condition()
        self._all: set[RemoteWorker] = set()
        self._idle: list[RemoteWorker] = []
        self._stands_still = False
        self._is_closed = False

    def run(self, job: Callable[Concatenate[RemoteWorker, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job with a worker, and with another one when that dies.

        Raises:
            WorkerDiedError: workers keep dying of it, or the pool is closed.
            ClusterLostError: no other worker can be had.
            EnvironmentFailedError: machines keep failing it, or the only one that there is did.
        """
        deaths = losses = failures = 0
        while True:
            worker, is_at_work = self._take(), True
            try:
                return job(worker, *args, **kwargs)
            except NoRoomError:
                is_at_work = False  # the job waits for that worker, or for one that another job leaves
            except TryElsewhereError:
                self._drop(worker)
                failures += 1
                if self._is_closed or failures == MOST_FAILING_MACHINES:
                    raise
            except EnvironmentFailedError:
                self._drop(worker)  # it may have lost its GPU, or never have started: the next one is fresh
                raise
            except ClusterLostError:
                self._drop(worker)
                raise
            except WorkerDiedError as death:
                self._drop(worker)
                losses += isinstance(death, WorkerLostError)
                deaths += not isinstance(death, WorkerLostError)
                if self._is_closed or deaths == MOST_DEATHS or losses == MOST_LOSSES:
                    raise
            finally:
                self._give_back(worker, is_at_work)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop every worker, and start no other, until the context is left; then all go on, come what may."""
        try:
            with self._changed:
                self._stands_still = True
                for worker in self._all:
                    worker.pause()
            yield
        finally:
            with self._changed, ExitStack() as going_on:
                self._stands_still = False
                self._changed.notify_all()
                for worker in self._all:
                    going_on.callback(worker.resume)

    def close(self) -> None:
        """End every worker; what runs a job now is told that its worker died."""
        with self._changed:
            self._is_closed = True
            workers, self._all = self._all, set()
            self._changed.notify_all()
        for worker in workers:
            worker.close()

    def _take(self) -> RemoteWorker:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not self._stands_still)
            if self._is_closed:
                raise WorkerDiedError("the workers were shut down")
            if self._idle:
                return self._idle.pop()
            worker = self._start()
            self._all.add(worker)
            return worker

    def _give_back(self, worker: RemoteWorker, is_at_work: bool) -> None:
        """The worker is free; those that still wait for room themselves are the last to be asked."""
        with self._changed:
            if worker in self._all:
                self._idle.insert(len(self._idle) if is_at_work else 0, worker)

    def _drop(self, worker: RemoteWorker) -> None:
        with self._changed:
            self._all.discard(worker)
        worker.close()
