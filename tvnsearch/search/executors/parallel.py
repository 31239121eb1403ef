"""Several jobs at once: a thread each in this process, which waits for a worker in another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any, Concatenate, ParamSpec, TypeVar

from tvnsearch.search.executors.executor import RemoteWorker, StartWorker
from tvnsearch.search.executors.worker_pool import WorkerPool

P = ParamSpec("P")
T = TypeVar("T")


class ParallelExecutor:
    """An :class:`Executor` with up to ``workers`` jobs in progress."""

    def __init__(self, start: StartWorker, workers: int) -> None:
        self._workers = workers
        self._pool = WorkerPool(start)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="job")

    @property
    def workers(self) -> int:
        """How many jobs can run at once."""
        return self._workers

    def submit(
        self, job: Callable[Concatenate[RemoteWorker, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Have the job run when a worker is free."""
        return self._threads.submit(self._pool.run, job, *args, **kwargs)

    def wait(self, futures: Collection[Future[Any]], timeout_seconds: float) -> None:
        """Return when one is done, or after ``timeout_seconds``."""
        wait(futures, timeout_seconds, FIRST_COMPLETED)

    def standing_still(self) -> AbstractContextManager[None]:
        """Workers of this machine are stopped (SIGSTOP) when it is entered, and go on when it is left."""
        return self._pool.standing_still()

    def shutdown(self) -> None:
        """End all workers and threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()
        self._threads.shutdown(wait=True)
