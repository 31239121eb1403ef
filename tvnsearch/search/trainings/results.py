"""What the accelerations see of a training: the fitness that it has come to on the way, or at its end."""

from __future__ import annotations

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.search.strategies.objectives import Costs


class RungResult(Struct, frozen=True):
    """The fitness of individual ``number`` after ``iterations``: all that early stopping rests on.

    ``costs`` are what its strategy wants low besides.
    """

    number: int
    iterations: int
    fitness: float
    costs: Costs = ()


class Observation(Struct, frozen=True):
    """The fitness of ``genome`` after ``share`` of a full training; 1 is the whole.

    ``costs`` are what its strategy wants low besides.
    """

    number: int
    genome: Genome
    share: float
    fitness: float
    costs: Costs = ()
