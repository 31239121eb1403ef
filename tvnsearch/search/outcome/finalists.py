"""The best of a run once more: measured freshly, trained at full length, and the winner chosen among them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tvnsearch.search.events import FinalMeasured, FinalTrained, WinnerChosen
from tvnsearch.search.exchange import Exchange
from tvnsearch.search.executors import (
    OF_ENVIRONMENT,
    ClusterLostError,
    Executor,
    RemoteWorker,
    undisturbed,
)
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.promise import measure_for_promise, written_miss
from tvnsearch.search.outcome.winner import withdraw_former
from tvnsearch.search.progress.recorder import Recorder
from tvnsearch.search.protocols import (
    Fitness,
    FitnessFunction,
    LatencyModel,
    TrainingFailed,
    TrainingRequest,
    finite_fitness,
)
from tvnsearch.search.records import Finalist, Individual, Winner, rank
from tvnsearch.search.run_folder import drop_checkpoint, finalist_checkpoints_path, finalist_weights_path
from tvnsearch.search.trainings.patience import Patience
from tvnsearch.search.trainings.trial import another_trains, make_folder
from tvnsearch.workers import WorkerDiedError

WAIT_SECONDS = 1.0

OnFinalist = Callable[[int, float], None]
"""Hears the individual's number and the share of its training that is done."""


def run_finalists(
    journal: Journal,
    latency: LatencyModel,
    fitness: FitnessFunction,
    executor: Executor,
    count: int,
    say: Callable[[str], None],
    on_progress: OnFinalist,
    recipe: dict[str, Any] | None = None,
    exchange: Exchange | None = None,
) -> list[Finalist]:
    """Measure the fittest individuals until ``count`` keep the budget, and train those; the best comes first.

    The best is recorded as the run's winner; where files were handed over of one that is so no more, they are
    moved aside. Every measurement and training is in the journal when it has ended, and is not done again;
    ``say`` gets a sentence on each individual that drops out. None of it counts as time of the search.
    ``recipe`` names the one that ``fitness`` trains by, unless it is the plan's: who was trained by another
    one is trained again, and is not compared before that. Workers leave what they train in the ``exchange``,
    or else in the run's folder.

    Raises:
        UserError: trainings keep ending for what is none of the networks' fault.
    """
    exchange = exchange or Exchange(journal.run, journal.run)
    finals = _Finals(journal, latency, fitness, executor, say, on_progress, recipe, exchange)
    finals.train(finals.measure(count))
    return finals.finish()


class _Finals:
    def __init__(
        self,
        journal: Journal,
        latency: LatencyModel,
        fitness: FitnessFunction,
        executor: Executor,
        say: Callable[[str], None],
        on_progress: OnFinalist,
        recipe: dict[str, Any] | None,
        exchange: Exchange,
    ) -> None:
        self._exchange = exchange
        self._plan = journal.plan
        self._latency = latency
        self._fitness = fitness
        self._executor = executor
        self._tell = say
        self._on_progress = on_progress
        self._recipe = recipe
        self._recorder = Recorder(journal, clock=lambda: 0.0)
        self._recorder.take_up()
        self._patience = Patience(time.monotonic)
        self._began: dict[int, float] = {}
        self._history = self._recorder.history

    def measure(self, count: int) -> list[Individual]:
        """The fittest that keep the budget in a fresh measurement, ``count`` of them if there are so many.

        One whose measurement is not to be trusted is among them if it seems to keep it.
        """
        keeping: list[Individual] = []
        ranked = sorted(self._history.individuals.values(), key=rank, reverse=True)
        while ranked and len(keeping) < count:
            wanted = count - len(keeping)
            together, ranked = ranked[:wanted], ranked[wanted:]
            self._measure([one for one in together if not self._is_decided(one.number)])
            keeping += [one for one in together if self._keeps(one.number)]
        return keeping

    def train(self, individuals: list[Individual]) -> None:
        """Train those that are not trained yet, as many at once as there are workers."""
        ended = {
            number
            for number in self._history.final_trainings
            if self._history.final_has_ended(number, self._recipe)
        }
        for number in ended:
            drop_checkpoint(self._checkpoints(number))
        waiting = [individual for individual in individuals if individual.number not in ended]
        training: dict[Future[Fitness], Individual] = {}
        while waiting or training:
            waits_seconds = self._patience.wait_seconds
            if waiting and len(training) < self._executor.workers and not waits_seconds:
                individual = waiting.pop(0)
                self._began[individual.number] = time.monotonic()
                training[self._executor.submit(self._train, individual)] = individual
            elif training:
                self._executor.wait(training, WAIT_SECONDS)
            else:
                time.sleep(min(WAIT_SECONDS, waits_seconds))
            for future in [future for future in training if future.done()]:
                individual = training.pop(future)
                if not self._take_in(individual, future, len(training)):
                    waiting.append(individual)

    def finish(self) -> list[Finalist]:
        """The finalists that keep the budget, the best first, which is the winner then.

        Those whose measurements are not to be trusted come after the others, and take the place of no winner
        that was promised.
        """
        by_recipe = self._history.final_recipes
        alike = [one for one in self._history.finalists if by_recipe[one.individual.number] == self._recipe]
        finalists = sorted(
            alike,
            key=lambda one: (not self._is_promised(one), -one.fitness.value, one.individual.number),
        )
        keeping = [one for one in finalists if one.measurement.keeps(self._plan.budget.max_ms)]
        if keeping and (self._is_promised(keeping[0]) or not self._is_promised(self._history.winner)):
            winner = Winner(keeping[0].individual, keeping[0].measurement)
            if self._history.winner != winner:
                self._recorder.record(WinnerChosen(winner.individual.number, winner.measurement))
        self._withdraw_former()
        return keeping

    def _checkpoints(self, number: int) -> Path:
        return finalist_checkpoints_path(self._exchange.folder, number, self._recipe)

    def _say(self, text: str) -> None:
        self._recorder.note(text)
        self._tell(text)

    def _withdraw_former(self) -> None:
        withdraw_former(self._exchange.run, self._history.winner, self._say)

    def _measure(self, individuals: list[Individual]) -> None:
        if not individuals:
            return
        with undisturbed(self._executor, self._plan.device.is_here):
            measured = measure_for_promise(
                individuals, self._plan.budget.max_ms, self._latency, self._drop_unmeasured
            )
        for number, measurement in measured.items():
            self._recorder.record(FinalMeasured(number, measurement))

    def _drop_unmeasured(self, individual: Individual, reason: str) -> None:
        self._say(f"individual {individual.number} drops out: measuring it again failed ({reason})")

    def _is_decided(self, number: int) -> bool:
        known = self._history.final_measurements.get(number)
        return known is not None and known.decides(self._plan.budget.max_ms) is not None

    def _is_promised(self, one: Finalist | Winner | None) -> bool:
        return one is not None and one.measurement.decides(self._plan.budget.max_ms) is True

    def _keeps(self, number: int) -> bool:
        """Whether a finalist keeps the budget by its fresh measurement; what there is against it is said."""
        measurement = self._history.final_measurements.get(number)
        if measurement is None:
            return False
        max_ms = self._plan.budget.max_ms
        keeps = measurement.keeps(max_ms)
        if not keeps:
            self._say(f"individual {number} drops out: measured again {written_miss(measurement, max_ms)}")
            self._withdraw_former()
        elif measurement.decides(max_ms) is None:
            self._say(
                f"individual {number} cannot be promised: measured again {written_miss(measurement, max_ms)}"
            )
        return keeps

    def _train(self, worker: RemoteWorker, individual: Individual) -> Fitness:
        number = individual.number
        request = TrainingRequest(
            number=number,
            parent=None,
            genome=individual.genome,
            seed=random.Random(f"{self._plan.search.seed}/{number}/final").getrandbits(31),
            weights=finalist_weights_path(self._exchange.folder, number, self._recipe),
            checkpoints=self._checkpoints(number),
        )
        make_folder(request)
        fitness = finite_fitness(
            self._fitness(
                worker, request, lambda state: self._on_progress(number, float(state.get("share", 0.0)))
            )
        )
        self._exchange.bring_home(request.weights)
        return fitness

    def _take_in(self, individual: Individual, future: Future[Fitness], others: int) -> bool:
        """Record what came of a training beside so many ``others``; False where it is to be tried again.

        Raises:
            UserError: no training works for the time being.
        """
        number = individual.number
        try:
            fitness = future.result()
        except OF_ENVIRONMENT as error:
            return self._is_given_up(number, error, others)
        except (TrainingFailed, WorkerDiedError) as error:
            self._recorder.record(FinalTrained(number, None, self._recipe))
            self._say(f"individual {number} drops out: it could not be trained ({error})")
        else:
            if fitness.begun_afresh is not None:
                self._say(f"individual {number}: {fitness.begun_afresh}")
            self._recorder.record(FinalTrained(number, fitness, self._recipe))
            self._on_progress(number, 1.0)
            self._say(
                f"individual {number} has fitness {fitness.value:.4g} at full length, "
                f"{individual.fitness.value:.4g} in the search"
            )
        self._patience.succeeded()
        drop_checkpoint(self._checkpoints(number))
        return True

    def _another_trains(self, number: int) -> bool:
        return another_trains(
            number, self._history, self._exchange, self._executor, self._fitness, self._tell, lambda: None
        )

    def _is_given_up(self, number: int, error: Exception, others: int) -> bool:
        """Whether a finalist whose training ended for what seemed none of its fault is not tried again."""
        is_lasting = isinstance(error, ClusterLostError)
        is_to_blame = self._patience.failed(number, self._began[number], is_lasting)
        if self._patience.is_over and not others:
            if is_lasting or not self._patience.is_about(number) or not self._another_trains(number):
                raise self._patience.lost(error, "the same command goes on")
            self._patience.succeeded()  # if it ends so once more it is to blame
        if is_to_blame:
            self._recorder.record(FinalTrained(number, None, self._recipe))
            self._say(f"individual {number} drops out: it could not be trained ({error})")
        else:
            self._say(f"individual {number} waits to be trained again: {error}")
        return is_to_blame
