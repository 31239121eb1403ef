"""How a running search stands: what its journal says, counted on, and told to whoever watches."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.figures import Workload, counts_of, front_of, with_newcomer
from tvnsearch.search.progress.told import EventKind, SearchProgress
from tvnsearch.search.records import Candidate, Control, CurvePoint, Individual, Winner, rank

HEARD_EVERY_SECONDS = 5.0
"""How often the journal is told what the workers do, for those who look on from other processes."""


class Standing:
    """Records each decision in the journal, and then tells it; ``clock`` counts seconds.

    The thread that made it records; any may :meth:`emit`.
    """

    def __init__(
        self,
        journal: Journal,
        workers: int,
        on_event: Callable[[SearchProgress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        individuals = journal.individuals()
        self.plan = journal.plan
        self.verdicts = Counter(journal.verdict_counts())
        self.best: Individual | None = max(individuals, key=rank, default=None)
        self._front = front_of(individuals)
        self._measured, self._under_bound = journal.measured_under_bound()
        self._journal = journal
        self._on_event = on_event
        self._clock = clock
        self._began_here = self._heard = clock()
        self._began = self._began_here - journal.elapsed_seconds
        self._seconds = journal.training_seconds()
        self._failed = len(journal.failures())
        self._stopped = sum(individual.fitness.stopped for individual in individuals)
        self._workers = workers
        self._training: dict[int, float] = {}
        self._busy_seconds = 0.0
        self._telling = threading.Lock()
        self._recorder = threading.get_ident()

    @property
    def elapsed_seconds(self) -> float:
        """The run's wall-clock time, over all processes that worked on it."""
        return self._clock() - self._began

    @property
    def trainings_left(self) -> int:
        """How many trainings of the plan have not ended."""
        return self.plan.search.trainings - len(self._seconds) - self._failed

    @property
    def is_out_of_time(self) -> bool:
        """Whether a training begun now would, by the average, end too late."""
        if self.plan.search.minutes is None:
            return False
        mean_seconds = sum(self._seconds.values()) / max(1, len(self._seconds))
        return self.elapsed_seconds + mean_seconds >= self.plan.search.minutes * 60

    def record_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Keep judged candidates, which are counted already."""
        if not candidates:
            return
        self._journal.record_candidates(candidates, self.elapsed_seconds)
        for candidate in candidates:
            estimate, measurement = candidate.verdict.estimate, candidate.verdict.measurement
            if estimate is not None and measurement is not None:
                self._measured += 1
                self._under_bound += measurement.latency_ms < estimate.lower_ms
        self.emit("judged", "")

    def knows(self, number: int) -> bool:
        """Whether an individual was told before: its training was paused, or has ended."""
        return number in self._seconds

    def record_begun(self, number: int, how: str = "") -> None:
        """Tell that the training of a candidate begins, and ``how``."""
        self._training[number] = self._clock()
        self.hear()
        self.emit("training", f"training individual {number}{how}", number)

    def record_trained(self, individual: Individual, seconds: float) -> None:
        """Keep the fitness of an individual, whose training took ``seconds``."""
        self._journal.record_trained(individual.number, individual.fitness, seconds, self.elapsed_seconds)
        self._take_in(individual, seconds)

    def record_paused(self, individual: Individual, point: CurvePoint) -> None:
        """Keep that the training of an individual is paused, which has a fitness all the same."""
        self._journal.record_point(point, self.elapsed_seconds)
        self._take_in(individual, point.seconds)

    def record_point(self, point: CurvePoint) -> None:
        """Keep that a training goes on."""
        self._journal.record_point(point, self.elapsed_seconds)

    def record_failed(self, number: int, reason: str) -> None:
        """Keep why a candidate could not be trained."""
        seconds = self._clock() - self._training[number]
        self._journal.record_failed(number, reason, seconds, self.elapsed_seconds)
        self._failed += number not in self._seconds
        self._end(number, seconds)

    def record_control(self, number: int, fitness: float | None, seconds: float) -> Control:
        """Keep what an individual that inherited weights comes to from scratch; None where that failed."""
        control = Control(number, fitness, self._journal.next_number)
        self._journal.record_control(control, self.elapsed_seconds)
        self._end(number, seconds)
        return control

    def record_winner(self, winner: Winner) -> None:
        """Keep the winner of all trainings so far."""
        self._journal.record_winner(winner, self.elapsed_seconds)

    def note(self, text: str) -> None:
        """Keep and tell a sentence for people."""
        self._journal.record_line(text, self.elapsed_seconds)
        self.emit("noted", text)

    def hear(self) -> None:
        """Keep what the workers do at the moment."""
        self._heard = self._clock()
        self._journal.record_workload(self._workload(), self.elapsed_seconds)

    def hear_now_and_then(self) -> None:
        """As :meth:`hear`, if that was some seconds ago; from any thread, of which one records."""
        is_due = self._clock() - self._heard >= HEARD_EVERY_SECONDS
        if self._training and is_due and threading.get_ident() == self._recorder:
            self.hear()

    def emit(
        self, kind: EventKind, text: str, number: int | None = None, training: dict[str, Any] | None = None
    ) -> None:
        """Tell a step, with how the whole of the search stands; watchers hear one event at a time."""
        with self._telling:
            self._on_event(
                SearchProgress(
                    kind=kind,
                    text=text,
                    counts=counts_of(self.verdicts, len(self._seconds), self._failed, self._stopped),
                    trainings=self.plan.search.trainings,
                    best_fitness=None if self.best is None else self.best.fitness.value,
                    front=self._front,
                    under_bound_share=self._under_bound / self._measured if self._measured else None,
                    workload=self._workload(),
                    elapsed_seconds=self.elapsed_seconds,
                    number=number,
                    training=training,
                )
            )

    def _take_in(self, individual: Individual, seconds: float) -> None:
        number = individual.number
        before = self._seconds.get(number)
        self._seconds[number] = seconds
        self._end(number, seconds - (before or 0.0))
        if before is None:
            self._stopped += individual.fitness.stopped
            self.best = individual if self.best is None else max(self.best, individual, key=rank)
            self._front = with_newcomer(self._front, individual)
            return
        individuals = self._journal.individuals()
        self._stopped = sum(one.fitness.stopped for one in individuals)
        self.best = max(individuals, key=rank)
        self._front = front_of(individuals)

    def _end(self, number: int, seconds: float) -> None:
        del self._training[number]
        self._busy_seconds += seconds
        self.hear()

    def _workload(self) -> Workload:
        now = self._clock()
        here_seconds = now - self._began_here
        busy_seconds = self._busy_seconds + sum(now - began for began in list(self._training.values()))
        return Workload(
            workers=self._workers,
            training=tuple(self._training),
            busy_share=min(1.0, busy_seconds / (self._workers * here_seconds)) if here_seconds > 0 else 0.0,
            eta_seconds=self._eta_seconds(),
        )

    def _eta_seconds(self) -> float | None:
        ended = len(self._seconds) + self._failed
        if not ended:
            return None
        elapsed = self.elapsed_seconds
        eta = max(0, self.trainings_left) * elapsed / ended
        minutes = self.plan.search.minutes
        return eta if minutes is None else max(0.0, min(eta, minutes * 60 - elapsed))
