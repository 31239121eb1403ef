"""One job after the other, each done when ``submit`` returns."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Concatenate, ParamSpec, TypeVar

from tvnsearch.search.executors.executor import RemoteWorker, StartWorker
from tvnsearch.search.executors.worker_pool import WorkerPool

P = ParamSpec("P")
T = TypeVar("T")


class SerialExecutor:
    """An :class:`Executor` with one worker, which the caller waits for: what happens is always the same."""

    workers = 1

    def __init__(self, start: StartWorker) -> None:
        self._pool = WorkerPool(start)

    def submit(
        self, job: Callable[Concatenate[RemoteWorker, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run the job; what interrupts the caller is no matter of the job's, and is raised here."""
        future: Future[T] = Future()
        try:
            future.set_result(self._pool.run(job, *args, **kwargs))
        except Exception as error:  # as concurrent.futures do: raised where the result is asked for
            future.set_exception(error)
        return future

    def wait(self, futures: Collection[Future[Any]], timeout_seconds: float) -> None:
        """Return at once: all futures are done."""

    def standing_still(self) -> AbstractContextManager[None]:
        """Nothing runs while the caller does, but what a worker left behind."""
        return self._pool.standing_still()

    def shutdown(self) -> None:
        """End the worker."""
        self._pool.close()
