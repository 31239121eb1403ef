"""Which of many networks is worth a training: a Gaussian process on genome features and partial curves."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.search.strategies.objectives import Costs
from tvnsearch.search.trainings.foretelling import Foretelling, Foretold
from tvnsearch.search.trainings.gaussian_process import Floats, Posterior, posterior
from tvnsearch.search.trainings.genome_features import genome_features
from tvnsearch.search.trainings.hypervolume import expected_enlargement, expected_improvement
from tvnsearch.search.trainings.rank_watch import RankWatch
from tvnsearch.search.trainings.results import Observation
from tvnsearch.search.trainings.whole_front import WholeFront

FEWEST_KNOWN = 4
"""With fewer networks known there is nothing to learn from yet."""

MOST_KNOWN = 500
"""The latest; the cost of an answer grows with their cube, and with so many it is about a second."""

CONTROL_SHARE = 1 / 16
"""Of the trainings, so many go to the network that came first, whatever is predicted."""


MARGIN = 0.1
"""So much of the extent beyond the highest costs counts as well, or a front's end would add nothing."""

LEAST_EXTENT = 1e-9


class Choice(Struct, frozen=True):
    """Which of the proposals to train, and the fitness at full length that is predicted for it, if any is."""

    place: int
    predicted: float | None


class FitnessPredictor:
    """Learns from the latest point of every training, and says which proposal promises most.

    That is the one with the largest expected improvement on the best whole training (Jones et al. 1998): what
    is predicted to be good, or is so unlike all others that it may be. Where networks have costs besides, it
    is the one that is expected to enlarge the hypervolume of the front of whole trainings most (Emmerich,
    Deutz and Klinkenberg 2011), with costs by their logarithms: a latency halved counts as much among slow
    networks as among fast ones. A partial training counts as what it foretells, as uncertain as that is. It
    is asked by :meth:`choose`, told by :meth:`observe`; the same
    calls in the same order give the same answers.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._known: dict[int, tuple[list[float], Observation]] = {}
        self._foretelling = Foretelling()
        self._front = WholeFront()
        self._predicted: dict[int, float] = {}
        self._watch = RankWatch("the fitness predictor")

    @property
    def active(self) -> bool:
        """Whether it still chooses."""
        return self._watch.trusted

    @property
    def ready(self) -> bool:
        """Whether it chooses, and knows enough for it."""
        return self.active and len(self._known) >= FEWEST_KNOWN and self._foretelling.ready

    @property
    def kendall(self) -> float | None:
        """The rank correlation of its predictions with what training then said, as far as it can be said."""
        return self._watch.kendall

    def choose(
        self, genomes: Sequence[Genome], rng: random.Random, costs: Sequence[Costs] | None = None
    ) -> Choice:
        """Which of ``genomes`` to train; the first while too little is known, or as a control.

        ``costs`` are those of each, where the strategy wants any low.
        """
        if not self.ready:
            return Choice(0, None)
        found = self._posterior(genomes)
        # Rounded: which of two is better must not depend on how many threads added them up.
        gain = np.round(self._gain(found, costs or [()] * len(genomes)), 9)
        place = 0 if rng.random() < CONTROL_SHARE else int(np.argmax(gain))
        return Choice(place, round(float(found.mean[place]), 6))

    def expect(self, number: int, predicted: float | None) -> None:
        """What was ``predicted`` became individual ``number``: it is held against its training."""
        if predicted is not None:
            self._predicted[number] = predicted

    def observe(self, observation: Observation) -> str | None:
        """Take in a point of a training; a line for the log, if there is one.

        Only whole trainings are held against what was predicted for them: others are foretold themselves.
        """
        number = observation.number
        row = list(genome_features(observation.genome, self._classes).values())
        self._known.pop(number, None)  # what was trained further is among the latest
        self._known[number] = (row, observation)
        self._foretelling.observe(number, observation.share, observation.fitness)
        if observation.share >= 1:
            self._front.add(observation.fitness, observation.costs)
        predicted = self._predicted.pop(number, None) if observation.share >= 1 else None
        return None if predicted is None else self._watch.add(predicted, observation.fitness)

    def _gain(self, found: Posterior, costs: Sequence[Costs]) -> Floats:
        """What training each network is expected to add to what the search looks for."""
        if not any(costs):
            return expected_improvement(found.mean, found.sd, self._foretelling.best)
        known = [observation.costs for _, observation in self._known.values()]
        unit, lowest = _extent(np.log([*known, *costs]))
        front = np.array([(point.fitness, *point.costs) for point in self._front.points])
        front[:, 1:] = (np.log(front[:, 1:]) - lowest) / unit
        least_fit = min(self._end(observation).mean for _, observation in self._known.values())
        reference = np.array([least_fit, *[1 + MARGIN] * (front.shape[1] - 1)])
        return expected_enlargement(front, found.mean, found.sd, (np.log(costs) - lowest) / unit, reference)

    def _posterior(self, genomes: Sequence[Genome]) -> Posterior:
        known = list(self._known.values())[-MOST_KNOWN:]
        ends = [self._end(observation) for _, observation in known]
        return posterior(
            known=np.array([row for row, _ in known]),
            fitness=np.array([end.mean for end in ends]),
            variance=np.array([end.sd**2 for end in ends]),
            asked=np.array([list(genome_features(genome, self._classes).values()) for genome in genomes]),
        )

    def _end(self, observation: Observation) -> Foretold:
        if observation.share >= 1:
            return Foretold(observation.fitness, 0.0)
        return self._foretelling.end(observation.number, observation.share, observation.fitness)


def _extent(costs: Floats) -> tuple[Floats, Floats]:
    """How far apart the least and the most of each cost lie, and the least."""
    lowest = costs.min(axis=0)
    return np.maximum(costs.max(axis=0) - lowest, LEAST_EXTENT), lowest
