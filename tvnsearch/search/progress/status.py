"""How a run stands, from its folder alone, also while it runs."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.figures import Board, FrontPoint, Workload, counts_of, front_of
from tvnsearch.search.protocols import Fitness, LatencyEstimate
from tvnsearch.search.records import Individual, Winner, rank


class NetworkSummary(Struct, frozen=True):
    """A trained network of a run: its latency and confidence interval, its size, its validation scores.

    Where training is ``stopped``, ``fitness`` is what is foretold for its end, and ``reached`` is what its
    weights have. ``predicted_on_others`` holds latencies on devices that nothing was measured on.
    """

    number: int
    genome: Genome
    genome_id: str
    latency_ms: float
    ci_low_ms: float
    ci_high_ms: float
    params: int
    macs: int
    fitness: float
    stopped: bool
    reached: float | None
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    predicted_on_others: dict[str, LatencyEstimate]


class RunSummary(Struct, frozen=True):
    """What a run has come to so far; ``winner`` is None until the search has ended.

    A winner that is a finalist has the fitness of its whole training.

    ``hours_saved`` is what training the duplicates of networks trained already would have taken, by the mean
    of all trainings. ``front``, ``under_bound_share``, ``in_training`` and ``busy_share`` are as in
    :class:`Board`; what the workers do is as they were last heard, which may be before a kill.
    """

    run: str
    winner: NetworkSummary | None
    sampled: int
    rejected_params: int
    rejected_gflops: int
    rejected_mb: int
    rejected_predicted: int
    rejected_on_others: int
    duplicates: int
    rejected_measured: int
    trained: int
    failed: int
    stopped: int
    trainings: int
    best_fitness: float | None
    front: tuple[FrontPoint, ...]
    under_bound_share: float | None
    workers: int
    in_training: tuple[int, ...]
    busy_share: float
    hours: float
    hours_left: float | None
    hours_saved: float


def summarise(run: Path) -> RunSummary:
    """Read how the run in the folder ``run`` stands.

    Raises:
        UserError: there is no run that this version can read.
    """
    with Journal.read(run) as journal:
        board = _board(journal)
        winner = journal.winner()
        final_fitnesses = journal.final_fitnesses()
        training_seconds = journal.training_seconds().values()
        seconds_saved = journal.trainings_saved() * sum(training_seconds) / max(1, len(training_seconds))
    workload = board.workload
    return RunSummary(
        run=str(run),
        winner=None if winner is None else _winner_summary(winner, final_fitnesses),
        **to_builtins(board.counts),
        trainings=board.trainings,
        best_fitness=board.best_fitness,
        front=board.front,
        under_bound_share=board.under_bound_share,
        workers=workload.workers,
        in_training=workload.training,
        busy_share=workload.busy_share,
        hours=board.elapsed_seconds / 3600,
        hours_left=None if workload.eta_seconds is None else workload.eta_seconds / 3600,
        hours_saved=seconds_saved / 3600,
    )


def read_board(run: Path) -> Board:
    """The figures that a running search shows, as its journal has them.

    Raises:
        UserError: there is no run that this version can read.
    """
    with Journal.read(run) as journal:
        return _board(journal)


def _board(journal: Journal) -> Board:
    individuals = journal.individuals()
    measured, under_bound = journal.measured_under_bound()
    return Board(
        counts=counts_of(
            journal.verdict_counts(),
            len(individuals),
            len(journal.failures()),
            sum(individual.fitness.stopped for individual in individuals),
        ),
        trainings=journal.plan.search.trainings,
        best_fitness=max(individuals, key=rank).fitness.value if individuals else None,
        front=front_of(individuals),
        under_bound_share=under_bound / measured if measured else None,
        workload=journal.workload() or Workload(0, (), 0.0, None),
        elapsed_seconds=journal.elapsed_seconds,
    )


def _winner_summary(winner: Winner, final_fitnesses: dict[int, Fitness]) -> NetworkSummary:
    individual = winner.individual
    fitness = final_fitnesses.get(individual.number, individual.fitness)
    return network_summary(replace(individual, measurement=winner.measurement, fitness=fitness))


def network_summary(individual: Individual) -> NetworkSummary:
    """What there is to say of an individual."""
    measurement = individual.measurement
    return NetworkSummary(
        number=individual.number,
        genome=individual.genome,
        genome_id=individual.genome_id,
        latency_ms=measurement.latency_ms,
        ci_low_ms=measurement.ci_low_ms,
        ci_high_ms=measurement.ci_high_ms,
        params=individual.params,
        macs=individual.macs,
        fitness=individual.fitness.value,
        stopped=individual.fitness.stopped,
        reached=individual.fitness.reached,
        top1=individual.fitness.top1,
        top5=individual.fitness.top5,
        mean_average_precision=individual.fitness.mean_average_precision,
        predicted_on_others=individual.on_others,
    )
