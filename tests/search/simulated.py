"""Workers without processes: their work takes time on a clock alone, which jumps from one end to the next."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from random import Random
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from tests.search.fakes import FakeFitness, NoProcess
from tvnsearch.search import Fitness, TrainingRequest
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import TrainingProgress

P = ParamSpec("P")
T = TypeVar("T")


class SimulatedExecutor:
    """Each job takes as long as the ``seconds`` of its fitness; only waiting makes time pass."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.now = 0.0
        self.busy_seconds = 0.0
        self.most_at_once = 0
        self.stood_still = 0
        self._running: list[tuple[float, int, Callable[[], None]]] = []
        self._submitted = 0

    def clock(self) -> float:
        return self.now

    def submit(
        self, job: Callable[Concatenate[RemoteWorker, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        future: Future[T] = Future()
        assert len(self._running) < self.workers, "more was begun than there are workers"
        try:
            result: Any = job(NoProcess(), *args, **kwargs)
        except Exception as error:
            failure = error
            seconds, end = 1.0, lambda: future.set_exception(failure)
        else:
            seconds, end = result.fitness.seconds, lambda: future.set_result(result)
        self.busy_seconds += seconds
        self._submitted += 1
        heapq.heappush(self._running, (self.now + seconds, self._submitted, end))
        self.most_at_once = max(self.most_at_once, len(self._running))
        return future

    def wait(self, futures: Collection[Future[Any]], timeout_seconds: float) -> None:
        assert futures, "nothing to wait for"
        self.now, _, end = heapq.heappop(self._running)
        end()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        self.stood_still += 1
        yield

    def shutdown(self) -> None:
        self._running.clear()


class SpreadFitness(FakeFitness):
    """Trainings take between 1 and 10 s, by the genome: a tenfold spread."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        fitness = super().__call__(worker, request, on_progress)
        return msgspec.structs.replace(fitness, seconds=10 ** Random(request.seed).random())
