"""How a search stands, in figures: the same ones for who runs it and for who looks on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from tvnsearch.search.records import Individual


class Counts(Struct, frozen=True):
    """How many genomes a run has drawn, and what became of them; ``stopped`` ones are among the trained.

    ``undecided`` ones are near to the budget, and no measurement of theirs can be trusted.
    """

    sampled: int
    rejected_params: int
    rejected_gflops: int
    rejected_mb: int
    rejected_predicted: int
    rejected_on_others: int
    duplicates: int
    rejected_measured: int
    undecided: int
    trained: int
    failed: int
    stopped: int

    @property
    def rejected_counted(self) -> int:
        """How many counting alone rejected, before any prediction."""
        return self.rejected_params + self.rejected_gflops + self.rejected_mb


class FrontPoint(Struct, frozen=True):
    """An individual that no other beats in fitness, measured latency and parameters at once.

    Where its training is ``stopped``, the fitness is foretold, and ``reached`` is what it had by then.
    """

    number: int
    fitness: float
    latency_ms: float
    params: int
    stopped: bool
    reached: float | None


class Workload(Struct, frozen=True):
    """What the workers of a run do: ``training`` are the individuals that they train at the moment.

    ``busy_share`` is the share of their time for which they trained since a process last took the run up,
    short of standing still for measurements once a training has ended, and ``eta_seconds`` the time to go,
    None as long as nothing was trained.
    """

    workers: int
    training: tuple[int, ...]
    busy_share: float
    eta_seconds: float | None


class RunFigures(Struct, frozen=True, kw_only=True):
    """How a run stands. ``trainings`` are those of the plan, ``front`` is sorted by latency.

    ``under_bound_share`` is the share of measured networks that were faster than the lower bound of their
    prediction: half of what the level leaves, as long as bounds hold. None as long as nothing was measured.
    """

    counts: Counts
    trainings: int
    best_fitness: float | None
    front: tuple[FrontPoint, ...]
    under_bound_share: float | None
    workload: Workload
    elapsed_seconds: float


ProgressKind = Literal["started", "judged", "training", "trained", "failed", "noted", "finished"]


class SearchProgress(RunFigures, frozen=True, kw_only=True):
    """What a running search tells whoever watches it: a step, and how the whole stands.

    ``text`` is a line for people, empty where there is nothing to say. ``number`` is the individual that the
    step is about; ``training`` holds what its training last reported.
    """

    kind: ProgressKind
    text: str
    number: int | None = None
    training: dict[str, Any] | None = None


def front_of(individuals: Iterable[Individual]) -> tuple[FrontPoint, ...]:
    """Those of ``individuals`` that no other dominates; of equal ones the first."""
    front: tuple[FrontPoint, ...] = ()
    for individual in individuals:
        front = with_newcomer(front, individual)
    return front


def with_newcomer(front: tuple[FrontPoint, ...], individual: Individual) -> tuple[FrontPoint, ...]:
    """The front after another individual has come."""
    newcomer = FrontPoint(
        individual.number,
        individual.fitness.value,
        individual.measurement.latency_ms,
        individual.params,
        individual.fitness.stopped,
        individual.fitness.reached,
    )
    if any(_is_as_good(point, newcomer) for point in front):
        return front
    staying = [point for point in front if not _is_as_good(newcomer, point)]
    return tuple(sorted([*staying, newcomer], key=lambda point: point.latency_ms))


def _is_as_good(one: FrontPoint, other: FrontPoint) -> bool:
    return one.fitness >= other.fitness and one.latency_ms <= other.latency_ms and one.params <= other.params
