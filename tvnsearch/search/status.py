"""How a run stands, from its folder alone, also while it runs."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.search.individual import Winner, rank
from tvnsearch.search.journal import Journal


class WinnerSummary(Struct, frozen=True):
    """The winner of a run: its fresh latency and confidence interval, its size, its validation scores."""

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


class RunSummary(Struct, frozen=True):
    """What a run has come to so far; ``winner`` is None until the search has ended."""

    run: str
    winner: WinnerSummary | None
    sampled: int
    rejected_params: int
    rejected_predicted: int
    duplicates: int
    rejected_measured: int
    trained: int
    failed: int
    best_fitness: float | None
    hours: float


def summarise(run: Path) -> RunSummary:
    """Read how the run in the folder ``run`` stands.

    Raises:
        UserError: there is no run that this version can read.
    """
    with Journal.read(run) as journal:
        counts = journal.verdict_counts()
        individuals = journal.individuals()
        winner = journal.winner()
        return RunSummary(
            run=str(run),
            winner=None if winner is None else _winner_summary(winner),
            sampled=sum(counts.values()),
            rejected_params=counts["rejected_params"],
            rejected_predicted=counts["rejected_predicted"],
            duplicates=counts["duplicate"],
            rejected_measured=counts["rejected_measured"],
            trained=len(individuals),
            failed=len(journal.failures()),
            best_fitness=max(individuals, key=rank).fitness.value if individuals else None,
            hours=journal.elapsed_seconds / 3600,
        )


def _winner_summary(winner: Winner) -> WinnerSummary:
    individual, measurement = winner.individual, winner.measurement
    return WinnerSummary(
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
    )
