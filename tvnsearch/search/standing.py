"""How a running search stands: what its journal says, counted on, and told to whoever watches."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tvnsearch.search.events import EventKind, SearchEvent, counts_of
from tvnsearch.search.individual import Candidate, Individual, Winner, rank
from tvnsearch.search.journal import Journal


class Standing:
    """Records each decision in the journal, and then tells it; ``clock`` counts seconds.

    One thread records; any may :meth:`emit`.
    """

    def __init__(
        self,
        journal: Journal,
        on_event: Callable[[SearchEvent], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        individuals = journal.individuals()
        self.plan = journal.plan
        self.verdicts = Counter(journal.verdict_counts())
        self.best: Individual | None = max(individuals, key=rank, default=None)
        self._journal = journal
        self._on_event = on_event
        self._clock = clock
        self._began = clock() - journal.elapsed_seconds
        seconds = journal.training_seconds()
        self._trained, self._training_seconds = len(seconds), sum(seconds)
        self._failed = len(journal.failures())
        self._telling = threading.Lock()

    @property
    def elapsed_seconds(self) -> float:
        """The run's wall-clock time, over all processes that worked on it."""
        return self._clock() - self._began

    @property
    def trainings_left(self) -> int:
        """How many trainings of the plan have not ended."""
        return self.plan.trainings - self._trainings_ended

    @property
    def is_out_of_time(self) -> bool:
        """Whether a training begun now would, by the average, end too late."""
        if self.plan.minutes is None:
            return False
        mean_seconds = self._training_seconds / max(1, self._trained)
        return self.elapsed_seconds + mean_seconds >= self.plan.minutes * 60

    def record_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Keep judged candidates, which are counted already."""
        if candidates:
            self._journal.record_candidates(candidates, self.elapsed_seconds)
            self.emit("judged", "")

    def record_trained(self, individual: Individual, seconds: float) -> None:
        """Keep the fitness of an individual, whose training took ``seconds``."""
        self._journal.record_trained(individual.number, individual.fitness, seconds, self.elapsed_seconds)
        self._trained += 1
        self._training_seconds += seconds
        self.best = individual if self.best is None else max(self.best, individual, key=rank)

    def record_failed(self, number: int, reason: str, seconds: float) -> None:
        """Keep why a candidate could not be trained."""
        self._journal.record_failed(number, reason, seconds, self.elapsed_seconds)
        self._failed += 1

    def record_winner(self, winner: Winner) -> None:
        """Keep the winner of all trainings so far."""
        self._journal.record_winner(winner, self.elapsed_seconds)

    def note(self, text: str) -> None:
        """Keep and tell a sentence for people."""
        self._journal.record_line(text, self.elapsed_seconds)
        self.emit("noted", text)

    def emit(
        self, kind: EventKind, text: str, number: int | None = None, training: dict[str, Any] | None = None
    ) -> None:
        """Tell a step, with how the whole of the search stands; watchers hear one event at a time."""
        with self._telling:
            self._on_event(
                SearchEvent(
                    kind=kind,
                    text=text,
                    counts=counts_of(self.verdicts, self._trained, self._failed),
                    trainings=self.plan.trainings,
                    best_fitness=None if self.best is None else self.best.fitness.value,
                    elapsed_seconds=self.elapsed_seconds,
                    eta_seconds=self._eta_seconds(),
                    number=number,
                    training=training,
                )
            )

    @property
    def _trainings_ended(self) -> int:
        return self._trained + self._failed

    def _eta_seconds(self) -> float | None:
        ended = self._trainings_ended
        if not ended:
            return None
        elapsed = self.elapsed_seconds
        eta = max(0, self.trainings_left) * elapsed / ended
        return eta if self.plan.minutes is None else max(0.0, min(eta, self.plan.minutes * 60 - elapsed))
