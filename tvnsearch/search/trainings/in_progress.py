"""The trainings in progress: given to workers, taken in when they end, returned where nobody is to blame."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.search.events import Begun, Controlled, Failed, Returned, RungPassed
from tvnsearch.search.exchange import Exchange
from tvnsearch.search.executors import OF_ENVIRONMENT, ClusterLostError, Executor, RemoteWorker
from tvnsearch.search.progress.recorder import Recorder
from tvnsearch.search.protocols import (
    Fitness,
    FitnessFunction,
    TrainingFailed,
    TrainingRequest,
    finite_fitness,
)
from tvnsearch.search.records import Candidate
from tvnsearch.search.run_folder import control_path, drop_checkpoint
from tvnsearch.search.trainings.patience import Patience
from tvnsearch.search.trainings.schedule import TrainingSchedule
from tvnsearch.search.trainings.trial import another_trains, make_folder
from tvnsearch.workers import WorkerDiedError


class _Trained(Struct, frozen=True):
    """What a training gave, and how long a worker was busy with it, short of standing still."""

    fitness: Fitness
    seconds: float


class TrainingsInProgress:
    """What the workers of an executor train, as the schedule says, and leave in the ``exchange``.

    ``tidy`` is called when a training has ended, and files may be needed no more; ``clock`` counts seconds.
    """

    def __init__(
        self,
        exchange: Exchange,
        fitness: FitnessFunction,
        executor: Executor,
        recorder: Recorder,
        schedule: TrainingSchedule,
        tidy: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._fitness = fitness
        self._executor = executor
        self._recorder = recorder
        self._history, self._tally = recorder.history, recorder.tally
        self._schedule = schedule
        self._tidy = tidy
        self._clock = clock
        self._patience = Patience(clock)
        self._running: dict[Future[_Trained], Candidate] = {}
        self._controls: set[Future[_Trained]] = set()
        self._begun_here: set[int] = set()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def wait_seconds(self) -> float:
        """For how long no training is to begin, since none works."""
        return self._patience.wait_seconds

    @property
    def any_has_ended(self) -> bool:
        """Whether there is one to be taken in."""
        return any(future.done() for future in self._running)

    def was_begun_here(self, number: int) -> bool:
        """Whether this process has begun to train an individual."""
        return number in self._begun_here

    def wait(self, timeout_seconds: float) -> None:
        """Return when one has ended, or after ``timeout_seconds``."""
        self._executor.wait(self._running, timeout_seconds)

    def begin(self, candidate: Candidate) -> None:
        """Have a candidate trained, up to where the schedule looks at it."""
        self._recorder.record(Begun(candidate.number, self._recorder.elapsed_seconds))
        self._begun_here.add(candidate.number)
        future = self._executor.submit(self._train_to_keep, self._schedule.request(candidate))
        self._running[future] = candidate

    def begin_control(self, candidate: Candidate) -> None:
        """Train a candidate from scratch as well, which is no training of the plan."""
        number = candidate.number
        self._recorder.record(Begun(number, self._recorder.elapsed_seconds, from_scratch=True))
        future = self._executor.submit(self._train, self._schedule.control_request(candidate))
        self._controls.add(future)
        self._running[future] = candidate

    def take_in(self) -> None:
        """Record what came of those that have ended.

        Raises:
            UserError: no training works for the time being.
        """
        for future in [future for future in self._running if future.done()]:
            candidate = self._running.pop(future)
            if future in self._controls:
                self._controls.remove(future)
                self._take_in_control(candidate.number, future)
            else:
                self._take_in(candidate.number, future)

    def _train(self, worker: RemoteWorker, request: TrainingRequest) -> _Trained:
        """Runs in any thread, and again if the worker dies."""
        began = self._clock()
        make_folder(request)
        if request.origin is not None:
            lent = self._exchange.lent(request.origin.weights)
            request = replace(request, origin=replace(request.origin, weights=lent))
        fitness = finite_fitness(
            self._fitness(worker, request, lambda training: self._hear(request.number, training))
        )
        return _Trained(fitness, self._clock() - began - fitness.stood_still_seconds)

    def _train_to_keep(self, worker: RemoteWorker, request: TrainingRequest) -> _Trained:
        trained = self._train(worker, request)
        self._exchange.bring_home(request.weights)
        return trained

    def _hear(self, number: int, training: dict[str, Any]) -> None:
        self._recorder.tick()
        self._recorder.tell("training", "", number, training)

    def _take_in(self, number: int, future: Future[_Trained]) -> None:
        try:
            trained = future.result()
        except OF_ENVIRONMENT as error:
            self._return(number, error)
            return
        except (TrainingFailed, WorkerDiedError) as error:
            self._patience.succeeded()
            self._recorder.record(Failed(number, str(error), self._seconds_of(number)))
        else:
            self._patience.succeeded()
            self._note_afresh(number, trained.fitness)
            outcome = self._schedule.outcome(number, trained.fitness, trained.seconds)
            self._recorder.record(outcome)
            if isinstance(outcome, RungPassed):
                return
        self._tidy()

    def _take_in_control(self, number: int, future: Future[_Trained]) -> None:
        next_number = self._history.next_number
        try:
            trained = future.result()
        except OF_ENVIRONMENT as error:
            self._return(number, error, from_scratch=True)
            return
        except (TrainingFailed, WorkerDiedError) as error:
            self._patience.succeeded()
            self._recorder.record(Controlled(number, None, next_number, reason=str(error)))
        else:
            self._patience.succeeded()
            self._note_afresh(number, trained.fitness)
            self._recorder.record(
                Controlled(number, trained.fitness.value, next_number, seconds=trained.seconds)
            )
        drop_checkpoint(control_path(self._exchange.folder, number))

    def _return(self, number: int, error: Exception, from_scratch: bool = False) -> None:
        """Have a network trained again that is not to blame, unless it proves to be.

        Raises:
            UserError: no training works for the time being.
        """
        seconds = self._seconds_of(number)
        is_lasting = isinstance(error, ClusterLostError)
        is_to_blame = self._patience.failed(number, self._clock() - seconds, is_lasting)
        if not is_to_blame:
            self._recorder.record(Returned(number, str(error), seconds, from_scratch))
        elif from_scratch:
            self._recorder.record(Controlled(number, None, self._history.next_number, reason=str(error)))
        else:
            self._recorder.record(Failed(number, str(error), seconds))
        if self._patience.is_over and not self._running:
            if not is_lasting and self._patience.is_about(number) and self._others_work(number):
                self._patience.succeeded()  # if it ends so once more it is to blame
                return
            raise self._patience.lost(error, f"`tvnsearch resume {self._exchange.run}` goes on")

    def _others_work(self, number: int) -> bool:
        return another_trains(
            number,
            self._history,
            self._exchange,
            self._executor,
            self._fitness,
            self._recorder.note,
            self._recorder.tick,
        )

    def _seconds_of(self, number: int) -> float:
        """How long ago the training of an individual began that ends now."""
        return self._recorder.elapsed_seconds - self._tally.began(number)

    def _note_afresh(self, number: int, fitness: Fitness) -> None:
        if fitness.begun_afresh is not None:
            self._recorder.note(f"individual {number}: {fitness.begun_afresh}")
