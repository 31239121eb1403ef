"""The records of a search: a candidate with its verdict, an individual with its fitness, the winner."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.genome import Genome
from tvnsearch.search.budget import CountedRejection
from tvnsearch.search.protocols import Fitness, LatencyEstimate

VerdictKind = Literal[
    CountedRejection, "rejected_predicted", "rejected_on_others", "duplicate", "rejected_measured", "accepted"
]


class Verdict(Struct, frozen=True):
    """What became of a candidate, and what that was decided on; what was not needed was not looked at (None).

    ``on_others`` holds predictions for devices that are not measured, by their names. ``reason`` is set where
    a candidate could not be measured at all.
    """

    kind: VerdictKind
    params: int
    macs: int
    estimate: LatencyEstimate | None = None
    measurement: Measurement | None = None
    reason: str = ""
    on_others: dict[str, LatencyEstimate] = {}


class Candidate(Struct, frozen=True):
    """A judged genome: the ``number``-th that was drawn (from 0), a mutation of the individual ``parent``.

    ``parent`` is None for a random genome; ``genome_id`` is empty where a cheaper test had rejected already.
    ``predicted_fitness`` is what a choice among several children rested on, if there was one.
    """

    number: int
    parent: int | None
    genome: Genome
    genome_id: str
    verdict: Verdict
    predicted_fitness: float | None = None


class Individual(Struct, frozen=True):
    """An accepted candidate that was trained; measured on one device, and ``on_others`` only predicted."""

    number: int
    parent: int | None
    genome: Genome
    genome_id: str
    params: int
    macs: int
    measurement: Measurement
    fitness: Fitness
    on_others: dict[str, LatencyEstimate] = {}


PointKind = Literal["goes on", "paused", "promoted", "ended"]

TOLD = ("paused", "ended")
"""At such points a strategy is told of an individual."""


class CurvePoint(Struct, frozen=True):
    """The fitness of individual ``number`` after ``seconds`` of training, and what was decided there.

    At a rung a training goes on, or it is paused; what is paused may be promoted later, and goes on then.
    """

    number: int
    fitness: Fitness
    seconds: float
    kind: PointKind


class Control(Struct, frozen=True):
    """The fitness from scratch of individual ``number``, which inherited weights; None where that failed.

    ``next_number`` is that of the first candidate that was judged later.
    """

    number: int
    fitness: float | None
    next_number: int


def individual_of(candidate: Candidate, fitness: Fitness) -> Individual:
    """The individual that an accepted candidate is once it is trained."""
    verdict = candidate.verdict
    assert verdict.measurement is not None
    return Individual(
        number=candidate.number,
        parent=candidate.parent,
        genome=candidate.genome,
        genome_id=candidate.genome_id,
        params=verdict.params,
        macs=verdict.macs,
        measurement=verdict.measurement,
        fitness=fitness,
        on_others=verdict.on_others,
    )


class Winner(Struct, frozen=True):
    """The individual that a run hands over, with the fresh measurement that says that it keeps the budget."""

    individual: Individual
    measurement: Measurement


class Finalist(Struct, frozen=True):
    """An individual that keeps the budget freshly measured, with its ``fitness`` after a whole training."""

    individual: Individual
    measurement: Measurement
    fitness: Fitness


def rank(individual: Individual) -> tuple[float, int]:
    """A key by which the best individual is the largest; of equally fit ones the first found is better."""
    return individual.fitness.value, -individual.number
