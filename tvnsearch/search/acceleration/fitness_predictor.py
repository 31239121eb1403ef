"""Which of many children is worth a training: gradient boosting on genome features and partial curves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.search.acceleration.genome_features import genome_features
from tvnsearch.search.acceleration.rank_watch import RankWatch

FEWEST_KNOWN = 10
"""With fewer networks known there is nothing to learn from yet."""

CONTROL_SHARE = 0.15
"""Of the trainings, so many go to the child that came first, whatever is predicted."""

MODELS = 4
"""Each learns from its own resample, and each decision follows one of them: the unsure are tried as well."""

ROUNDS = 60
PARAMETERS = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 12,
    "min_data_in_leaf": 3,
    "feature_fraction": 0.7,
    "lambda_l2": 0.1,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}

_Rows = npt.NDArray[np.float64]


class Observation(Struct, frozen=True):
    """The fitness of ``genome`` after ``share`` of a full training; 1 is the whole."""

    number: int
    genome: Genome
    share: float
    fitness: float


class Choice(Struct, frozen=True):
    """Which of the proposals to train, and the fitness at full length that is predicted for it, if any is."""

    place: int
    predicted: float | None


class FitnessPredictor:
    """Learns from every point of every training, whole or stopped early, and ranks children by it.

    Points of partial trainings are rows like those of whole ones, with the share of the training as one more
    feature, in which fitness can only rise. It is asked by :meth:`choose`, told by :meth:`observe`; the same
    calls in the same order give the same answers.
    """

    def __init__(self, classes: int, seed: int = 0) -> None:
        self._classes = classes
        self._seed = seed
        self._rows: list[list[float]] = []
        self._fitness: list[float] = []
        self._numbers: list[int] = []
        self._models: list[Any] = []
        self._predicted: dict[int, float] = {}
        self._watch = RankWatch("the fitness predictor")

    @property
    def active(self) -> bool:
        """Whether it still chooses."""
        return self._watch.trusted

    @property
    def ready(self) -> bool:
        """Whether it is :attr:`active` and knows enough to choose."""
        return self.active and len(set(self._numbers)) >= FEWEST_KNOWN

    @property
    def kendall(self) -> float | None:
        """The rank correlation of its predictions with what training then said, as far as it can be said."""
        return self._watch.kendall

    def choose(self, genomes: Sequence[Genome], rng: random.Random) -> Choice:
        """Which of ``genomes`` to train; the first while too little is known, or as a control."""
        if not self.ready:
            return Choice(0, None)
        control, model = rng.random() < CONTROL_SHARE, rng.randrange(MODELS)
        models = self._learnt()
        rows = np.array([self._row(genome, 1.0) for genome in genomes])
        predictions = np.array([one.predict(rows) for one in models])
        place = 0 if control else int(np.argmax(predictions[model]))
        return Choice(place, float(predictions[:, place].mean()))

    def expect(self, number: int, predicted: float | None) -> None:
        """What was ``predicted`` became individual ``number``: it is held against its training."""
        if predicted is not None:
            self._predicted[number] = predicted

    def observe(self, observation: Observation) -> str | None:
        """Take in a point of a training; a line for the log, if there is one.

        Only whole trainings are held against what was predicted for them: a stopped one has another scale.
        """
        self._rows.append(self._row(observation.genome, observation.share))
        self._fitness.append(observation.fitness)
        self._numbers.append(observation.number)
        self._models = []
        whole = observation.share >= 1
        predicted = self._predicted.pop(observation.number, None) if whole else None
        return None if predicted is None else self._watch.add(predicted, observation.fitness)

    def _row(self, genome: Genome, share: float) -> list[float]:
        return [*genome_features(genome, self._classes).values(), share]

    def _learnt(self) -> list[Any]:
        """The models of all that is known, fitted when first asked for after it changed."""
        if not self._models:
            rows, fitness = np.array(self._rows), np.array(self._fitness)
            numbers = np.array(self._numbers)
            rng = np.random.default_rng((self._seed, len(rows)))
            self._models = [_fitted(rows, fitness, numbers, rng) for _ in range(MODELS)]
        return self._models


def _fitted(rows: _Rows, fitness: _Rows, numbers: npt.NDArray[np.int64], rng: np.random.Generator) -> Any:
    """A model of a resample of whole networks, their curves undivided."""
    known, network = np.unique(numbers, return_inverse=True)
    times_drawn = rng.multinomial(len(known), np.full(len(known), 1 / len(known)))
    weights = times_drawn[network].astype(np.float64)
    taken = weights > 0
    rising = [0] * (rows.shape[1] - 1) + [1]
    parameters = PARAMETERS | {"seed": int(rng.integers(2**31)), "monotone_constraints": rising}
    data = lightgbm.Dataset(rows[taken], fitness[taken], weight=weights[taken])
    return lightgbm.train(parameters, data, ROUNDS)
