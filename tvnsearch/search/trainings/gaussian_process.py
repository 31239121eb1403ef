"""A Gaussian process over networks: fitness from features, known for some more exactly than for others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.distance import cdist

Floats = npt.NDArray[np.float64]

LENGTHS = (0.4, 0.7, 1.1, 1.8)
"""How far apart networks are that tell little of each other, in standard deviations a feature."""

OWN_SHARES = (0.05, 0.2, 0.5)
"""How much of the variance is a network's own, which no feature tells: training is a matter of luck, too."""

SLACK = 1e-4


class Posterior(NamedTuple):
    """What is known of each network asked about: the mean of its fitness, and its standard deviation."""

    mean: Floats
    sd: Floats


def posterior(known: Floats, fitness: Floats, variance: Floats, asked: Floats) -> Posterior:
    """The fitness of the networks ``asked``, from those ``known``, both given as rows of features.

    ``variance`` says how uncertain each fitness is, 0 for a network trained as a whole. Features are scaled
    by all rows. Length scale and own share are those of the highest marginal likelihood on a small grid
    (Rasmussen and Williams 2006, chapter 5).
    """
    rows = np.vstack([known, asked])
    spread = rows.std(axis=0)
    telling = spread > 0
    rows = (rows[:, telling] - rows[:, telling].mean(axis=0)) / spread[telling]
    count = len(known)
    squares = cdist(rows[:count], rows, "sqeuclidean") / max(1, rows.shape[1])
    unit = max(float(fitness.std()), 1e-9)
    weights = 1 / (variance / unit**2 + 0.5)
    mean = float(np.average(fitness, weights=weights))
    centred = (fitness - mean) / unit
    noise = variance / unit**2 + SLACK
    fitted = [_fitted(squares, centred, noise, length, own) for length in LENGTHS for own in OWN_SHARES]
    best = max(fitted, key=lambda one: one.likelihood)
    return Posterior(mean + unit * best.mean, unit * best.sd)


class _Fitted(NamedTuple):
    likelihood: float
    mean: Floats
    sd: Floats


def _fitted(squares: Floats, centred: Floats, noise: Floats, length: float, own: float) -> _Fitted:
    """The posterior of the networks behind the known ones, with variance 1 before anything was known."""
    count = len(centred)
    shared = (1 - own) * np.exp(-squares / (2 * length**2))
    factor = cho_factor(shared[:, :count] + np.diag(own + noise), lower=True)
    weights = cho_solve(factor, centred)
    likelihood = -0.5 * float(centred @ weights) - float(np.log(np.diag(factor[0])).sum())
    reach = solve_triangular(factor[0], shared[:, count:], lower=True)
    sd = np.sqrt(np.maximum(1 - (reach**2).sum(axis=0), 1e-12))
    return _Fitted(likelihood, shared[:, count:].T @ weights, sd)
