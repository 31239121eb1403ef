"""The search: judge and train until the plan is done; a process may end at any moment, another go on.

There are no generations. As many networks train as there are workers, and while they do the next one is drawn
and judged, so that a worker that becomes free has something to do. Whatever ends first is told to the
strategy first. With one worker that is waited for, each candidate knows all that were trained before it.

The engine chooses what is next, has it done, and records what came of it. All state that decides anything
follows from the recorded events, so a search that is taken up again is in the state that it was left in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.candidates.judge import Judge
from tvnsearch.search.events import (
    FinalMeasured,
    Opened,
    Promoted,
    WinnerChosen,
)
from tvnsearch.search.exchange import Exchange
from tvnsearch.search.executors import Executor, undisturbed
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.winner import Contest, withdraw_former
from tvnsearch.search.progress.recorder import OnProgress, Recorder
from tvnsearch.search.protocols import (
    FitnessFunction,
    LatencyModel,
)
from tvnsearch.search.records import Candidate, Individual, Winner
from tvnsearch.search.run_folder import (
    keep_checkpoints,
    keep_controls,
    keep_weights,
)
from tvnsearch.search.strategies import make_strategy
from tvnsearch.search.trainings.in_progress import TrainingsInProgress
from tvnsearch.search.trainings.schedule import TrainingSchedule

READY = 1
"""So many accepted candidates wait for a worker: judging more of them early would be to know less."""

WAIT_SECONDS = 1.0


def run_search(
    journal: Journal,
    latency: LatencyModel,
    fitness: FitnessFunction,
    executor: Executor,
    on_progress: OnProgress,
    clock: Callable[[], float] = time.monotonic,
    exchange: Exchange | None = None,
) -> Winner | None:
    """Carry out the plan of ``journal`` from where it stands, and choose the winner.

    ``executor`` trains, as many networks at once as it has workers; the caller shuts it down. ``on_progress``
    hears one step at a time, from several threads. Returns None when nothing was trained, or nothing trained
    keeps the budget in a fresh measurement; the measurement of a winner says whether that is to be trusted.
    Files of a former winner that were handed over are moved aside.
    ``clock`` counts seconds. Workers leave what they train in the ``exchange``, or else in the run's folder.
    What was judged or trained before an exception, KeyboardInterrupt included, is
    in the journal.

    Raises:
        UserError: nothing in the search space keeps the budget, or trainings keep ending for what is none of
            the networks' fault.
    """
    exchange = exchange or Exchange(journal.run, journal.run)
    search = _Search(journal, latency, fitness, executor, on_progress, clock, exchange)
    search.run()
    return search.finish()


class _Search:
    def __init__(
        self,
        journal: Journal,
        latency: LatencyModel,
        fitness: FitnessFunction,
        executor: Executor,
        on_progress: OnProgress,
        clock: Callable[[], float],
        exchange: Exchange,
    ) -> None:
        self._exchange = exchange
        self._plan = plan = journal.plan
        self._latency = latency
        self._executor = executor
        self._recorder = Recorder(journal, on_progress, clock)
        self._history, self._tally = self._recorder.history, self._recorder.tally
        self._strategy = make_strategy(plan)
        self._schedule = TrainingSchedule(plan, exchange)
        self._judge = Judge(plan, self._history, self._strategy, latency, executor, self._schedule.predictor)
        self._recorder.take_up(self._strategy, self._schedule, self._judge)
        self._trainings = TrainingsInProgress(
            exchange, fitness, executor, self._recorder, self._schedule, self._keep_files, clock
        )

    def run(self) -> None:
        """Judge and train until the plan is done, its time is up, or nothing new is left."""
        recorder, number = self._recorder, self._history.next_number
        recorder.record(Opened(self._executor.workers, recorder.elapsed_seconds))
        self._keep_files()
        recorder.tell("started", f"goes on at candidate {number}" if number else "")
        if not self._history.accepted:
            check_reachable(self._plan, self._latency)
        self._work()
        if self._judge.is_exhausted:
            said = (
                f"the last {self._judge.unmeasured:,} candidates brought nothing new within the budget: the "
                "search ends before its plan, with all that it can reach"
            )
            if said not in self._history.lines:
                recorder.note(said)

    def finish(self) -> Winner | None:
        """The winner of all that was trained, chosen anew unless nothing was trained since it was chosen."""
        winner = self._history.winner if self._history.winner_is_final else None
        if winner is None:
            winner = self._choose_winner()
            if winner is not None:
                self._recorder.record(WinnerChosen(winner.individual.number, winner.measurement))
        withdraw_former(self._exchange.run, self._history.winner, self._recorder.note)
        self._recorder.tell("finished", "", winner.individual.number if winner else None)
        return winner

    def _work(self) -> None:
        try:
            while self._step():
                pass
        finally:
            self._trainings.take_in()

    def _choose_winner(self) -> Winner | None:
        """Where the fittest is paused its training goes on to its end first; it has to be that still then."""
        recorder = self._recorder
        contest = Contest(
            self._plan.budget.max_ms,
            self._latency,
            recorder.note,
            lambda number, measurement: recorder.record(FinalMeasured(number, measurement)),
        )
        while True:
            with undisturbed(self._executor, self._plan.device.is_here):
                winner = contest.winner_of(self._rivals())
            if winner is None or not winner.individual.fitness.stopped:
                return winner
            number = winner.individual.number
            self._recorder.note(f"individual {number} may win, and is paused: its training goes on")
            self._recorder.record(Promoted(number))
            self._trainings.begin(self._history.accepted[number])
            self._work()

    def _rivals(self) -> list[Individual]:
        """Who may win: not what the finals measured over the budget, nor what failed after it was paused.

        Finalists count by their whole training.
        """
        best = [] if self._tally.best is None else [self._tally.best]
        finalists = [finalist.individual for finalist in self._history.finalists]
        rivals = {rival.number: rival for rival in (*self._strategy.members, *best, *finalists)}
        fresh, ended = self._history.fresh_measurements, self._history.ended
        return [
            replace(rival, fitness=self._history.fitness_of(rival))
            for number, rival in rivals.items()
            if not (number in fresh and fresh[number].decides(self._plan.budget.max_ms) is False)
            and not (rival.fitness.stopped and number in ended)
        ]

    def _step(self) -> bool:
        """Do the next thing that there is to do; False when there is none."""
        trainings = self._trainings
        trainings.take_in()
        waits = trainings.wait_seconds > 0
        has_room = len(trainings) < self._executor.workers and not waits
        if has_room and (control := self._next_control()) is not None:
            trainings.begin_control(control)
        elif has_room and (candidate := self._next_training()) is not None:
            trainings.begin(candidate)
        elif self._schedule.ready < READY and not self._has_drawn_enough() and self._unplanned() > 0:
            self._judge.judge_batch(
                self._recorder.record, lambda: self._has_drawn_enough() or trainings.any_has_ended
            )
        elif trainings:
            trainings.wait(WAIT_SECONDS)
            self._recorder.tick()
        elif waits:
            time.sleep(min(WAIT_SECONDS, trainings.wait_seconds))
            self._recorder.tick()
        else:
            return False
        return True

    def _next_control(self) -> Candidate | None:
        """What is trained from scratch as well, unless a training waits in its middle."""
        return None if self._is_done() or self._going_on() else self._schedule.next_control()

    def _next_training(self) -> Candidate | None:
        """What is in its middle, then what is promoted, also when the plan has as many as it wants."""
        schedule, has_time = self._schedule, not self._recorder.is_out_of_time
        if going_on := self._going_on():
            return going_on[0]
        if has_time:
            if schedule.next_promoted() is None and (number := schedule.worth_promoting()) is not None:
                self._recorder.record(Promoted(number))
            if (promoted := schedule.next_promoted()) is not None:
                return promoted
        return None if self._is_done() else schedule.next_ready()

    def _going_on(self) -> list[Candidate]:
        """What has passed a rung; what another process had begun only if there is time."""
        at_rung = self._schedule.at_rung()
        if self._recorder.is_out_of_time:
            return [candidate for candidate in at_rung if self._trainings.was_begun_here(candidate.number)]
        return at_rung

    def _is_done(self) -> bool:
        return self._tally.trainings_left <= 0 or self._recorder.is_out_of_time

    def _has_drawn_enough(self) -> bool:
        """Whether no candidate is wanted or left any more; those that were accepted are trained still."""
        return self._is_done() or self._judge.is_exhausted

    def _unplanned(self) -> int:
        """How many trainings of the plan have no candidate yet."""
        return self._tally.trainings_left - self._schedule.unfinished

    def _keep_files(self) -> None:
        """Drop the weights and checkpoints that nothing will ask for any more."""
        kept = {member.number for member in self._strategy.members}
        if self._tally.best is not None:
            kept.add(self._tally.best.number)
        needed = list(self._schedule.needed)
        for candidate in needed:
            kept.add(candidate.number)
            if candidate.parent is not None:
                kept.add(candidate.parent)
        run, folder, lent = self._exchange.run, self._exchange.folder, self._exchange.lent_folder
        with suppress(OSError):  # where the disk or the share fails, what stays goes the next time
            keep_weights(run, kept)
            if lent is not None:
                keep_weights(lent, kept)
            keep_checkpoints(folder, [candidate.number for candidate in needed])
            keep_controls(folder, self._schedule.controls)
