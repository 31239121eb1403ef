"""What the accelerations see of a training: the fitness that it has come to on the way, or at its end."""

from __future__ import annotations

from msgspec import Struct

from tvnsearch.genome.genome import Genome


class RungResult(Struct, frozen=True):
    """The fitness of individual ``number`` after ``iterations``: all that early stopping rests on."""

    number: int
    iterations: int
    fitness: float


class Observation(Struct, frozen=True):
    """The fitness of ``genome`` after ``share`` of a full training; 1 is the whole."""

    number: int
    genome: Genome
    share: float
    fitness: float
