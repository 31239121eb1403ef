"""The search of a run for its page: what it trained and when, what was predicted, what became of genomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from statistics import median

from tvnsearch.api.status import RunReport
from tvnsearch.files import as_text
from tvnsearch.json_text import json_of
from tvnsearch.reporting.records import (
    Course,
    Fate,
    FitnessAt,
    Prediction,
    Predictions,
    TrainedPoint,
)
from tvnsearch.search.events import Event, Judged, Paused, Remeasured, Trained
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.records import Candidate, Individual, rank

GENOMES_BYTES = 500_000
"""A page of 10,000 individuals stays under 3 MB with so much of genomes."""


def course_of(run: Path) -> Course:
    """The fitness of a run over its time.

    Raises:
        UserError: there is no run that this version can read.
    """
    best: float | None = None
    fitness = []
    with Journal.read(run) as journal:
        strategy = journal.plan.search.strategy
        for seconds, event in journal.timed_events():
            if not isinstance(event, Trained | Paused):
                continue
            value = event.fitness.value
            if isinstance(event, Trained):
                best = value if best is None else max(best, value)
            fitness.append(FitnessAt(seconds / 3600, event.number, value, isinstance(event, Paused), best))
    return Course(as_text(run), strategy, fitness)


def predictions_of(events: Iterable[Event], level: float) -> Predictions | None:
    """How predictions met measurements; None where nothing was predicted and measured.

    What is undecided was not measured well enough to say.
    """
    met: dict[int, Prediction] = {}
    for event in events:
        match event:
            case Judged(measured=Candidate() as candidate) | Remeasured(measured=candidate):
                verdict = candidate.verdict
                if verdict.estimate and verdict.measurement and verdict.kind != "undecided":
                    met[candidate.number] = Prediction(
                        candidate.number,
                        verdict.estimate.latency_ms,
                        verdict.estimate.lower_ms,
                        verdict.estimate.upper_ms,
                        verdict.measurement.latency_ms,
                    )
            case _:
                pass
    if not met:
        return None
    within = sum(one.lower_ms <= one.measured_ms <= one.upper_ms for one in met.values())
    return Predictions(
        level=level,
        median_error=median(abs(one.predicted_ms / one.measured_ms - 1) for one in met.values()),
        within_bounds=within / len(met),
        met=list(met.values()),
    )


def trained_points(individuals: Collection[Individual], looked_at: Collection[int]) -> list[TrainedPoint]:
    """All individuals in the order of their numbers.

    Genomes are kept for those of the front and for ``looked_at``, and then for the fittest while there is
    room.
    """
    front = _front(individuals)
    room, with_genome = GENOMES_BYTES, set(front | set(looked_at))
    for individual in sorted(individuals, key=rank, reverse=True):
        room -= len(json_of(individual.genome))
        if room < 0:
            break
        with_genome.add(individual.number)
    return [
        TrainedPoint(
            number=one.number,
            parent=one.parent,
            genome_id=one.genome_id,
            fitness=one.fitness.value,
            latency_ms=one.measurement.latency_ms,
            ci_low_ms=one.measurement.ci_low_ms,
            ci_high_ms=one.measurement.ci_high_ms,
            trusted=one.measurement.trusted,
            params=one.params,
            macs=one.macs,
            is_foretold=one.fitness.stopped,
            on_front=one.number in front,
            genome=one.genome if one.number in with_genome else None,
        )
        for one in sorted(individuals, key=lambda one: one.number)
    ]


def _front(individuals: Iterable[Individual]) -> set[int]:
    """Those that are fitter than all that are as fast."""
    front, best = set(), float("-inf")
    by_latency = sorted(individuals, key=lambda one: (one.measurement.latency_ms, -one.fitness.value))
    for individual in by_latency:
        if individual.fitness.value > best:
            best = individual.fitness.value
            front.add(individual.number)
    return front


def fates_of(report: RunReport, plan: SearchPlan) -> list[Fate]:
    """What became of all genomes that were drawn, as far as it was asked for or happened."""
    limits = plan.budget
    known = (
        ("rejected by counting parameters", report.rejected_params, limits.max_params is not None),
        ("rejected by counting operations", report.rejected_gflops, limits.max_gflops is not None),
        ("rejected by the size of weights", report.rejected_mb, limits.max_mb is not None),
        ("rejected by prediction", report.rejected_predicted, True),
        ("rejected for other devices", report.rejected_on_others, bool(limits.others_max_ms)),
        ("duplicates", report.duplicates, False),
        ("rejected by measurement", report.rejected_measured, True),
        ("undecided", report.undecided, False),
        ("training failed", report.failed, False),
        ("trained", report.trained, True),
    )
    return [Fate(what, count) for what, count, is_asked in known if count or is_asked]
