"""What an executor is: ``concurrent.futures`` over workers that may be lost and can stand still."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from tvnsearch.workers import EnvironmentFailedError, Progress, WorkerDiedError

P = ParamSpec("P")
T = TypeVar("T")


class RemoteWorker(Protocol):
    """Answers one request at a time in a process of its own, here or on another machine."""

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        """Run ``method(**params)`` there and return its result; both are plain JSON data.

        Raises:
            WorkerDiedError: the worker ended instead of answering.
        """
        ...

    def pause(self) -> None:
        """Stand still, if that is what a measurement on this machine needs."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def close(self) -> None:
        """End; work in progress is dropped."""
        ...


StartWorker = Callable[[], RemoteWorker]


class WorkerLostError(WorkerDiedError):
    """A worker is gone together with its machine, which says nothing about the work that it had."""


class ClusterLostError(WorkerLostError):
    """All machines are gone at once: this process gets no worker any more."""


class NoRoomError(WorkerDiedError):
    """No machine has room for the worker so far; it still waits for one."""


class TryElsewhereError(EnvironmentFailedError):
    """A machine failed what it was asked for, and there are others that may not."""


OF_ENVIRONMENT = (EnvironmentFailedError, WorkerLostError, NoRoomError)
"""What a job ends with for no fault of its own."""


class Executor(Protocol):
    """Runs jobs, each with a worker of its own while it runs.

    A job is a function of a worker and more arguments that asks the worker for what is costly. One whose
    worker dies is run again with another, so it must be of a kind that may be begun anew.
    """

    @property
    def workers(self) -> int:
        """How many jobs can run at once."""
        ...

    def submit(
        self, job: Callable[Concatenate[RemoteWorker, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Have ``job(worker, *args, **kwargs)`` run, at once or when a worker is free."""
        ...

    def wait(self, futures: Collection[Future[Any]], timeout_seconds: float) -> None:
        """Return when one of ``futures`` is done, or after ``timeout_seconds``."""
        ...

    def standing_still(self) -> AbstractContextManager[None]:
        """While it is entered, no worker of this machine takes up a core."""
        ...

    def shutdown(self) -> None:
        """End all workers; jobs in progress are dropped, and those that wait never run."""
        ...


def undisturbed(executor: Executor, measures_here: bool) -> AbstractContextManager[None]:
    """While it is entered a measurement has no company: one on another machine disturbs no worker of this."""
    return executor.standing_still() if measures_here else nullcontext()
