"""The figures of a run, counted event by event."""

from __future__ import annotations

from tvnsearch.search.events import (
    Begun,
    Controlled,
    Event,
    Failed,
    Judged,
    Opened,
    Paused,
    Remeasured,
    Returned,
    RungPassed,
    Trained,
)
from tvnsearch.search.history import History
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.progress.figures import (
    Counts,
    FrontPoint,
    RunFigures,
    Workload,
    front_of,
    with_newcomer,
)
from tvnsearch.search.records import Candidate, Individual, Verdict, rank


class Tally:
    """How a run stands, by the events that it was given after ``history`` was.

    Seconds are the run's wall-clock time, over all processes that worked on it.
    """

    def __init__(self, plan: SearchPlan, history: History) -> None:
        self._plan = plan
        self._history = history
        self._best: Individual | None = None
        self._front: tuple[FrontPoint, ...] = ()
        self._stopped = 0
        self._is_stale = False
        """Whether an individual was trained further, and these three have to be looked up again."""
        self._counted_seconds: dict[int, float] = {}
        """For how long each training has kept a worker busy so far."""
        self._told: set[int] = set()
        self._estimated = self._under_bound = 0
        self._workers = 0
        self._opened_seconds = self._busy_seconds = 0.0
        self._training: dict[int, float] = {}
        """When the trainings that run began."""

    @property
    def best(self) -> Individual | None:
        """The fittest individual, foretold ones included."""
        self._refresh()
        return self._best

    @property
    def trainings_left(self) -> int:
        """How many trainings of the plan have not ended."""
        return self._plan.search.trainings - self._ended

    @property
    def is_training(self) -> bool:
        """Whether any worker trains."""
        return bool(self._training)

    def is_out_of_time(self, elapsed_seconds: float) -> bool:
        """Whether a training that begins now would, by the average, end too late."""
        minutes = self._plan.search.minutes
        if minutes is None:
            return False
        mean_seconds = self._history.trained_seconds / max(1, len(self._history.training_seconds))
        return elapsed_seconds + mean_seconds >= minutes * 60

    def began(self, number: int) -> float:
        """When the training of an individual began that runs."""
        return self._training[number]

    def figures(self, elapsed_seconds: float) -> RunFigures:
        """How the run stands after so long."""
        best = self.best
        return RunFigures(
            counts=self._counts(),
            trainings=self._plan.search.trainings,
            best_fitness=None if best is None else best.fitness.value,
            front=self._front,
            under_bound_share=self._under_bound / self._estimated if self._estimated else None,
            workload=self._workload(elapsed_seconds),
            elapsed_seconds=elapsed_seconds,
        )

    def apply(self, event: Event) -> tuple[str, ...]:
        """Count what has happened."""
        match event:
            case Opened():
                self._workers = event.workers
                self._opened_seconds = event.elapsed_seconds
                self._busy_seconds = 0.0
                self._training.clear()
            case Judged(measured=Candidate() as candidate) | Remeasured(measured=candidate):
                self._measured(candidate.verdict)
            case Begun():
                self._training.setdefault(event.number, event.elapsed_seconds)
            case RungPassed():
                self._end(event.number, event.seconds)
            case Paused() | Trained():
                self._end(event.number, event.seconds)
                self._take_in(event.number)
            case Failed() | Returned() | Controlled():
                self._training.pop(event.number, None)
                self._busy_seconds += event.seconds
            case _:
                pass
        return ()

    def _measured(self, verdict: Verdict) -> None:
        estimate, measurement = verdict.estimate, verdict.measurement
        if estimate is not None and measurement is not None and verdict.kind != "undecided":
            self._estimated += 1
            self._under_bound += measurement.latency_ms < estimate.lower_ms

    def _take_in(self, number: int) -> None:
        individual, is_new = self._history.individuals[number], number not in self._told
        self._told.add(number)
        if not is_new:
            self._is_stale = True
        elif not self._is_stale:
            self._stopped += individual.fitness.stopped
            self._best = individual if self._best is None else max(self._best, individual, key=rank)
            self._front = with_newcomer(self._front, individual)

    def _refresh(self) -> None:
        if self._is_stale:
            individuals = self._history.individuals.values()
            self._stopped = sum(one.fitness.stopped for one in individuals)
            self._best = max(individuals, key=rank)
            self._front = front_of(individuals)
            self._is_stale = False

    def _end(self, number: int, seconds: float) -> None:
        """Let a worker be free of a training that has taken ``seconds`` so far."""
        self._training.pop(number, None)
        self._busy_seconds += seconds - self._counted_seconds.get(number, 0.0)
        self._counted_seconds[number] = seconds

    @property
    def _ended(self) -> int:
        return len(self._history.individuals) + len(self._history.failures)

    def _counts(self) -> Counts:
        verdicts = self._history.verdicts
        return Counts(
            sampled=self._history.next_number,
            rejected_params=verdicts["rejected_params"],
            rejected_gflops=verdicts["rejected_gflops"],
            rejected_mb=verdicts["rejected_mb"],
            rejected_predicted=verdicts["rejected_predicted"],
            rejected_on_others=verdicts["rejected_on_others"],
            duplicates=verdicts["duplicate"],
            rejected_measured=verdicts["rejected_measured"],
            undecided=verdicts["undecided"],
            trained=len(self._history.individuals),
            failed=len(self._history.failures),
            stopped=self._stopped,
        )

    def _workload(self, elapsed_seconds: float) -> Workload:
        here_seconds = elapsed_seconds - self._opened_seconds
        begun = list(self._training.items())
        busy_seconds = self._busy_seconds + sum(elapsed_seconds - seconds for _, seconds in begun)
        possible_seconds = self._workers * here_seconds
        return Workload(
            workers=self._workers,
            training=tuple(number for number, _ in begun),
            busy_share=min(1.0, busy_seconds / possible_seconds) if possible_seconds > 0 else 0.0,
            eta_seconds=self._eta_seconds(elapsed_seconds),
        )

    def _eta_seconds(self, elapsed_seconds: float) -> float | None:
        if not self._ended:
            return None
        eta = max(0, self.trainings_left) * elapsed_seconds / self._ended
        minutes = self._plan.search.minutes
        return eta if minutes is None else max(0.0, min(eta, minutes * 60 - elapsed_seconds))
