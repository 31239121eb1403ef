"""How a run stands, from its folder alone, also while it runs."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.search.individual import Individual, rank
from tvnsearch.search.journal import Journal
from tvnsearch.search.protocols import LatencyEstimate


class NetworkSummary(Struct, frozen=True):
    """A trained network of a run: its latency and confidence interval, its size, its validation scores.

    ``predicted_elsewhere`` holds latencies on devices that nothing was measured on.
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
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    predicted_elsewhere: dict[str, LatencyEstimate]


class RunSummary(Struct, frozen=True):
    """What a run has come to so far; ``winner`` is None until the search has ended.

    ``hours_saved`` is what training the duplicates of networks trained already would have taken, by the mean
    of all trainings.
    """

    run: str
    winner: NetworkSummary | None
    sampled: int
    rejected_params: int
    rejected_gflops: int
    rejected_mb: int
    rejected_predicted: int
    rejected_elsewhere: int
    duplicates: int
    rejected_measured: int
    trained: int
    failed: int
    best_fitness: float | None
    hours: float
    hours_saved: float


def summarise(run: Path) -> RunSummary:
    """Read how the run in the folder ``run`` stands.

    Raises:
        UserError: there is no run that this version can read.
    """
    with Journal.read(run) as journal:
        counts = journal.verdict_counts()
        individuals = journal.individuals()
        winner = journal.winner()
        training_seconds = journal.training_seconds()
        seconds_saved = journal.trainings_saved() * sum(training_seconds) / max(1, len(training_seconds))
        return RunSummary(
            run=str(run),
            winner=None
            if winner is None
            else network_summary(replace(winner.individual, measurement=winner.measurement)),
            sampled=sum(counts.values()),
            rejected_params=counts["rejected_params"],
            rejected_gflops=counts["rejected_gflops"],
            rejected_mb=counts["rejected_mb"],
            rejected_predicted=counts["rejected_predicted"],
            rejected_elsewhere=counts["rejected_elsewhere"],
            duplicates=counts["duplicate"],
            rejected_measured=counts["rejected_measured"],
            trained=len(individuals),
            failed=len(journal.failures()),
            best_fitness=max(individuals, key=rank).fitness.value if individuals else None,
            hours=journal.elapsed_seconds / 3600,
            hours_saved=seconds_saved / 3600,
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
        params=individual.params,
        macs=individual.macs,
        fitness=individual.fitness.value,
        top1=individual.fitness.top1,
        top5=individual.fitness.top5,
        mean_average_precision=individual.fitness.mean_average_precision,
        predicted_elsewhere=individual.elsewhere,
    )
