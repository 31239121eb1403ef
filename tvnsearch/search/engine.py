"""The search: judge and train until the plan is done; a process may end at any moment, another go on.

There are no generations. As many networks train as there are workers, and while they do the next one is drawn
and judged, so that a worker that becomes free has something to do. Whatever ends first is told to the
strategy first. With one worker that is waited for, each candidate knows all that were trained before it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.candidates.judge import Judge
from tvnsearch.search.executors import Executor, RemoteWorker
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.winner import choose_winner, withdraw_former
from tvnsearch.search.progress.recorder import Standing
from tvnsearch.search.progress.told import SearchProgress
from tvnsearch.search.protocols import (
    Fitness,
    FitnessFunction,
    LatencyModel,
    TrainingFailed,
    TrainingRequest,
)
from tvnsearch.search.records import Candidate, CurvePoint, Individual, Winner, individual_of
from tvnsearch.search.run_folder import control_path, drop_checkpoint, keep_checkpoints, keep_weights
from tvnsearch.search.strategies import make_strategy, proposal_of
from tvnsearch.search.trainings.schedule import TrainingSchedule
from tvnsearch.workers import WorkerDiedError

READY = 1
"""So many accepted candidates wait for a worker: judging more of them early would be to know less."""

WAIT_SECONDS = 1.0


def run_search(
    journal: Journal,
    latency: LatencyModel,
    fitness: FitnessFunction,
    executor: Executor,
    on_event: Callable[[SearchProgress], None],
    clock: Callable[[], float] = time.monotonic,
) -> Winner | None:
    """Carry out the plan of ``journal`` from where it stands, and choose the winner.

    ``executor`` trains, as many networks at once as it has workers; the caller shuts it down. ``on_event``
    hears one event at a time, from several threads. Returns None when nothing was trained, or nothing trained
    keeps the budget in a fresh measurement. Files of a former winner that were handed over are moved aside.
    ``clock`` counts seconds. What was judged or trained before an exception, KeyboardInterrupt included, is
    in the journal.

    Raises:
        UserError: nothing in the search space keeps the budget.
    """
    search = _Search(journal, latency, fitness, executor, on_event, clock)
    search.run()
    return search.finish()


class _Trained(Struct, frozen=True):
    """What a training gave, and how long a worker was busy with it, short of standing still."""

    fitness: Fitness
    seconds: float


class _Search:
    def __init__(
        self,
        journal: Journal,
        latency: LatencyModel,
        fitness: FitnessFunction,
        executor: Executor,
        on_event: Callable[[SearchProgress], None],
        clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._plan = journal.plan
        self._latency = latency
        self._fitness = fitness
        self._executor = executor
        self._clock = clock
        self._standing = Standing(journal, executor.workers, on_event, clock)
        self._strategy = make_strategy(journal.plan)
        told, pending = journal.told(), journal.pending()
        known = {individual.number for individual in told}
        unknown = [candidate for candidate in pending if candidate.number not in known]
        self._strategy.restore(told, [proposal_of(candidate) for candidate in unknown])
        self._course = TrainingSchedule(journal, self._standing)
        self._cut_off = [candidate for candidate in pending if self._course.goes_on(candidate.number)]
        self._promoted = [one for one in pending if one.number in known and one not in self._cut_off]
        self._ready = [one for one in unknown if one not in self._cut_off]
        self._judge = Judge(
            journal, self._standing, self._strategy, latency, executor, self._course.predictor
        )
        self._going_on: list[Candidate] = []
        self._in_training: dict[Future[_Trained], Candidate] = {}
        self._control_trainings: set[Future[_Trained]] = set()

    def run(self) -> None:
        """Judge and train until the plan is done, its time is up, or nothing new is left."""
        self._keep_weights()
        next_number = self._judge.next_number
        self._standing.emit("started", f"goes on at candidate {next_number}" if next_number else "")
        if not self._standing.verdicts["accepted"]:
            check_reachable(self._plan, self._latency)
        self._work()
        if self._judge.is_exhausted:
            self._standing.note(
                f"the last {self._judge.unmeasured:,} candidates brought nothing new within the budget: the "
                "search ends before its plan, with all that it can reach"
            )

    def finish(self) -> Winner | None:
        """The winner of all that was trained, chosen anew unless nothing was trained since it was chosen."""
        winner = self._journal.winner() if self._journal.winner_is_final() else None
        if winner is None:
            winner = self._choose_winner()
            if winner is not None:
                self._standing.record_winner(winner)
        withdraw_former(self._journal, self._standing.note)
        self._standing.emit("finished", "", winner.individual.number if winner else None)
        return winner

    def _work(self) -> None:
        try:
            while self._step():
                pass
        finally:
            self._take_in_trained()

    def _choose_winner(self) -> Winner | None:
        """Where the fittest is paused its training goes on to its end first; it has to be that still then."""
        measured: dict[int, Measurement | None] = {}
        while True:
            with self._executor.standing_still():
                winner = choose_winner(
                    self._rivals(), self._plan.budget, self._latency, self._standing.note, measured
                )
            if winner is None or not winner.individual.fitness.stopped:
                return winner
            number = winner.individual.number
            self._standing.note(f"individual {number} may win, and is paused: its training goes on")
            self._course.go_on(number)
            [candidate] = [one for one in self._journal.measured() if one.number == number]
            self._begin(candidate)
            self._work()

    def _rivals(self) -> list[Individual]:
        """Who may win: not what the finals measured over the budget, nor what failed after it was paused."""
        rivals = {member.number: member for member in self._strategy.members}
        if self._standing.best is not None:
            rivals[self._standing.best.number] = self._standing.best
        fresh, ended = self._journal.fresh_measurements(), self._journal.ended()
        return [
            rival
            for number, rival in rivals.items()
            if not (number in fresh and fresh[number].ci_high_ms > self._plan.budget.max_ms)
            and not (rival.fitness.stopped and number in ended)
        ]

    def _step(self) -> bool:
        """Do the next thing that there is to do; False when there is none."""
        self._take_in_trained()
        if self._going_on:
            self._submit(self._going_on.pop(0))
        elif self._has_room and self._cut_off and not self._standing.is_out_of_time:
            self._begin(self._cut_off.pop(0))
        elif self._has_room and not self._is_done() and (control := self._course.next_control()) is not None:
            self._begin_control(control)
        elif self._has_room and (promoted := self._next_promoted()) is not None:
            self._begin(promoted)
        elif self._has_room and self._ready and not self._is_done():
            self._begin(self._ready.pop(0))
        elif len(self._ready) < READY and not self._has_drawn_enough() and self._unplanned() > 0:
            accepted = self._judge.judge_batch(lambda: self._has_drawn_enough() or self._has_trained())
            if accepted is not None:
                self._ready.append(accepted)
        elif self._in_training:
            self._executor.wait(self._in_training, WAIT_SECONDS)
            self._standing.hear_now_and_then()
        else:
            return False
        return True

    @property
    def _has_room(self) -> bool:
        return len(self._in_training) < self._executor.workers

    def _next_promoted(self) -> Candidate | None:
        """A candidate whose training was paused and goes on; also when the plan has as many as it wants."""
        if self._standing.is_out_of_time:
            return None
        return self._promoted.pop(0) if self._promoted else self._course.promote()

    def _begin(self, candidate: Candidate) -> None:
        self._standing.record_begun(candidate.number)
        self._submit(candidate)

    def _submit(self, candidate: Candidate) -> None:
        request = self._course.request(candidate)
        self._in_training[self._executor.submit(self._train, request)] = candidate

    def _begin_control(self, candidate: Candidate) -> None:
        """Train a candidate from scratch as well, which is no training of the plan."""
        self._standing.record_begun(candidate.number, " from scratch, to compare")
        control_path(self._journal.run, candidate.number).mkdir(parents=True, exist_ok=True)
        future = self._executor.submit(self._train, self._course.control_request(candidate))
        self._control_trainings.add(future)
        self._in_training[future] = candidate

    def _train(self, worker: RemoteWorker, request: TrainingRequest) -> _Trained:
        """Runs in any thread, and again if the worker dies."""
        number = request.number
        began = self._clock()
        fitness = self._fitness(worker, request, lambda training: self._hear(number, training))
        if not math.isfinite(fitness.value):
            raise TrainingFailed(f"its fitness is {fitness.value}")
        return _Trained(fitness, self._clock() - began - fitness.stood_still_seconds)

    def _hear(self, number: int, training: dict[str, Any]) -> None:
        self._standing.hear_now_and_then()
        self._standing.emit("training", "", number, training)

    def _take_in_trained(self) -> None:
        for future in [future for future in self._in_training if future.done()]:
            candidate = self._in_training.pop(future)
            if future in self._control_trainings:
                self._control_trainings.remove(future)
                self._take_in_control(candidate.number, future)
                continue
            try:
                trained = future.result()
            except (TrainingFailed, WorkerDiedError) as error:
                self._take_in_failed(candidate, str(error))
                continue
            point = self._course.decide(candidate, trained.fitness, trained.seconds)
            if point.kind == "goes on":
                self._going_on.append(candidate)
            else:
                self._tell(candidate, point)

    def _tell(self, candidate: Candidate, point: CurvePoint) -> None:
        """Keep and pass on what a training has come to that is paused or has ended."""
        individual = individual_of(candidate, point.fitness)
        number, value = individual.number, individual.fitness.value
        said = f"individual {number} has fitness {value:.4g}"
        is_known = self._standing.knows(number)
        if point.kind == "paused":
            self._standing.record_paused(individual, point)
            said = f"individual {number} is paused, {value:.4g} is foretold for it"
        else:
            self._standing.record_trained(individual, point.seconds)
        if is_known:
            self._strategy.tell_anew(individual)
        else:
            self._strategy.tell(individual)
        self._course.take_in(candidate, point)
        self._keep_weights()
        self._standing.emit("trained", said, number)

    def _take_in_failed(self, candidate: Candidate, reason: str) -> None:
        number = candidate.number
        if not self._standing.knows(number):
            self._strategy.drop(proposal_of(candidate))
        self._standing.record_failed(number, reason)
        self._keep_weights()
        self._standing.emit("failed", f"individual {number} could not be trained: {reason}", number)

    def _take_in_control(self, number: int, future: Future[_Trained]) -> None:
        try:
            trained = future.result()
        except (TrainingFailed, WorkerDiedError) as error:
            self._course.take_in_control(self._standing.record_control(number, None, 0.0))
            said = f"individual {number} could not be trained from scratch: {error}"
        else:
            value = trained.fitness.value
            self._course.take_in_control(self._standing.record_control(number, value, trained.seconds))
            said = f"individual {number} has fitness {value:.4g} from scratch, without inherited weights"
        drop_checkpoint(control_path(self._journal.run, number))
        self._standing.emit("trained", said, number)

    def _is_done(self) -> bool:
        return self._standing.trainings_left <= 0 or self._standing.is_out_of_time

    def _has_drawn_enough(self) -> bool:
        """Whether no candidate is wanted or left any more; those that were accepted are trained still."""
        return self._is_done() or self._judge.is_exhausted

    def _unplanned(self) -> int:
        """How many trainings of the plan have no candidate yet."""
        unfinished = len(self._in_training) - len(self._control_trainings)
        unfinished += len(self._going_on) + len(self._cut_off) + len(self._ready)
        return self._standing.trainings_left - unfinished

    def _has_trained(self) -> bool:
        return any(future.done() for future in self._in_training)

    def _keep_weights(self) -> None:
        kept = {member.number for member in self._strategy.members}
        if self._standing.best is not None:
            kept.add(self._standing.best.number)
        unfinished = [*self._ready, *self._promoted, *self._cut_off, *self._going_on]
        unfinished += [*self._in_training.values(), *self._course.paused]
        for candidate in unfinished:
            kept.add(candidate.number)
            if candidate.parent is not None:
                kept.add(candidate.parent)
        keep_weights(self._journal.run, kept)
        keep_checkpoints(self._journal.run, [candidate.number for candidate in unfinished])
