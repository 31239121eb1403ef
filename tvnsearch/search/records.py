"""The records of a search: genomes with their verdicts, individuals with their fitness, the winner."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.genome import Genome
from tvnsearch.search.budget import CountedRejection
from tvnsearch.search.protocols import Fitness, LatencyEstimate

VerdictKind = Literal[
    CountedRejection,
    "rejected_predicted",
    "rejected_on_others",
    "duplicate",
    "rejected_measured",
    "undecided",
    "accepted",
]


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What became of a candidate, and what that was decided on; what was not needed was not looked at (None).

    ``on_others`` holds predictions for devices that are not measured, by their names. ``reason`` is set where
    a candidate could not be measured at all, or is undecided: its measurement is not to be trusted, and too
    near to the budget.
    """

    kind: VerdictKind
    params: int
    macs: int
    estimate: LatencyEstimate | None = None
    measurement: Measurement | None = None
    reason: str = ""
    on_others: dict[str, LatencyEstimate] = {}


class Rejected(Struct, frozen=True, omit_defaults=True):
    """A genome that was not measured, because it is over the budget on paper or a ``duplicate``.

    Only figures are kept of it: the genome follows from the plan, its number and the individuals before it.
    ``duplicate`` is the identity of the network that it is, where that was measured before.
    """

    number: int
    parent: int | None
    verdict: Verdict
    duplicate: str = ""


class Candidate(Struct, frozen=True, omit_defaults=True):
    """A measured genome: the ``number``-th that was drawn (from 0), a mutation of the individual ``parent``.

    ``parent`` is None for a random genome and for one that the search started from. ``predicted_fitness`` is
    what a choice among several children rested on, if there was one.
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
    """An individual that keeps the budget freshly measured, with its ``fitness`` after a whole training.

    ``recipe`` is what it was trained by, as data; None for that of the plan.
    """

    individual: Individual
    measurement: Measurement
    fitness: Fitness
    recipe: dict[str, Any] | None = None


def rank(individual: Individual) -> tuple[float, int]:
    """A key by which the best individual is the largest; of equally fit ones the first found is better."""
    return individual.fitness.value, -individual.number
