"""By how much networks are expected to enlarge the hypervolume of a front, their costs being known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Floats = npt.NDArray[np.float64]


def expected_improvement(mean: Floats, sd: Floats, level: float) -> Floats:
    """By how much normally distributed fitness is expected to lie over ``level`` (Jones et al. 1998)."""
    z = (mean - level) / sd
    improvement: Floats = sd * (z * norm.cdf(z) + norm.pdf(z))
    return improvement


def expected_enlargement(front: Floats, mean: Floats, sd: Floats, costs: Floats, reference: Floats) -> Floats:
    """The expected hypervolume improvement of each network (Emmerich, Deutz and Klinkenberg 2011).

    ``front`` has a row a network: fitness, to be high, and two costs, to be low; ``reference`` is such a row,
    and only what is better than it in all three counts. ``mean`` and ``sd`` are of the fitness of the
    networks asked about, ``costs`` their costs, a row each. As these are certain, the expectation is a sum of
    ordinary expected improvements: at each fitness of the front the area that a network would add changes.
    """
    front = np.column_stack([np.maximum(front[:, 0], reference[0]), np.minimum(front[:, 1:], reference[1:])])
    starts = np.concatenate([[-np.inf], np.unique(front[:, 1])])
    ends = np.append(starts[1:], reference[1])
    widths = np.maximum(ends - np.maximum(starts, costs[:, :1]), 0.0)
    ceilings = np.full(len(starts), reference[2])
    enlargement = np.zeros(len(mean))
    over_last = np.zeros(len(mean))
    for fitness, first, second in [*front[np.argsort(-front[:, 0], kind="stable")], reference]:
        area = (widths * np.maximum(ceilings - costs[:, 1:], 0.0)).sum(axis=1)
        over_this = expected_improvement(mean, sd, fitness)
        enlargement += area * (over_this - over_last)
        over_last = over_this
        ceilings = np.where(starts >= first, np.minimum(ceilings, second), ceilings)
    return enlargement
