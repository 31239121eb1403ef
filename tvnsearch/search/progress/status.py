"""How a run stands, from its folder alone, also while it runs."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from tvnsearch.genome.genome import Genome
from tvnsearch.search.history import History
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.figures import Counts, FrontPoint, RunFigures
from tvnsearch.search.progress.tally import Tally
from tvnsearch.search.protocols import LatencyEstimate
from tvnsearch.search.records import Individual


class NetworkSummary(Struct, frozen=True):
    """A trained network of a run: its latency and confidence interval, its size, its validation scores.

    ``reason`` says why the latency is not ``trusted``, and is empty where it is.
    Where training is ``stopped``, ``fitness`` is what is foretold for its end, and ``reached`` is what its
    weights have. ``predicted_on_others`` holds latencies on devices that nothing was measured on.
    """

    number: int
    genome: Genome
    genome_id: str
    latency_ms: float
    ci_low_ms: float | None
    ci_high_ms: float | None
    trusted: bool
    reason: str
    params: int
    macs: int
    fitness: float
    stopped: bool
    reached: float | None
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    predicted_on_others: dict[str, LatencyEstimate]


class RunSummary(Counts, frozen=True, kw_only=True):
    """What a run has come to so far; ``winner`` is None until the search has ended.

    A winner that is a finalist has the fitness of its whole training.

    ``hours_saved`` is what training the duplicates of networks trained already would have taken, by the mean
    of all trainings. ``front``, ``under_bound_share``, ``in_training`` and ``busy_share`` are as in
    :class:`RunFigures`; after a kill they are as the run was left. The winner is ``promised`` if its fresh
    measurement can be trusted with that it keeps the budget.
    """

    run: str
    winner: NetworkSummary | None
    promised: bool
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
    history, figures = _read(run)
    training_seconds = history.training_seconds.values()
    seconds_saved = history.trainings_saved * sum(training_seconds) / max(1, len(training_seconds))
    workload = figures.workload
    return RunSummary(
        run=str(run),
        winner=_winner_summary(history),
        promised=history.winner_is_promised,
        **asdict(figures.counts),
        trainings=figures.trainings,
        best_fitness=figures.best_fitness,
        front=figures.front,
        under_bound_share=figures.under_bound_share,
        workers=workload.workers,
        in_training=workload.training,
        busy_share=workload.busy_share,
        hours=figures.elapsed_seconds / 3600,
        hours_left=None if workload.eta_seconds is None else workload.eta_seconds / 3600,
        hours_saved=seconds_saved / 3600,
    )


def read_figures(run: Path) -> RunFigures:
    """The figures that a running search shows, as its journal has them.

    Raises:
        UserError: there is no run that this version can read.
    """
    return _read(run)[1]


def _read(run: Path) -> tuple[History, RunFigures]:
    with Journal.read(run) as journal:
        history = History(journal.plan.budget.max_ms)
        tally = Tally(journal.plan, history)
        journal.replay(history, tally)
        return history, tally.figures(journal.elapsed_seconds)


def _winner_summary(history: History) -> NetworkSummary | None:
    winner = history.winner
    if winner is None:
        return None
    individual = winner.individual
    return network_summary(
        replace(individual, measurement=winner.measurement, fitness=history.fitness_of(individual))
    )


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
        trusted=measurement.trusted,
        reason=measurement.reason,
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
