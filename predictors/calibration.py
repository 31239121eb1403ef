"""How far predictions of whole networks may be trusted: split-conformal bounds from held-out errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from predictors.call_table import FloatArray

DEFAULT_LEVEL = 0.99
"""The share of networks whose latency lies within the bounds, unless the user asks for another."""


class Calibration(Struct, frozen=True):
    """Held-out networks: what was predicted, and the log of measured over predicted latency, in one order."""

    predicted_ms: tuple[float, ...]
    log_errors: tuple[float, ...]

    def half_widths(self, predicted_ms: FloatArray, level: float = DEFAULT_LEVEL) -> FloatArray:
        """For each prediction the half-width of its interval, in log milliseconds.

        The held-out networks are cut by predicted latency into bands, as many as leave each band twice the
        networks that ``level`` needs; a prediction takes the half-width of the band that it falls into.
        """
        order = np.argsort(self.predicted_ms, kind="stable")
        errors = np.abs(np.array(self.log_errors))[order]
        known_ms = np.array(self.predicted_ms)[order]
        bands = max(len(order) // (2 * networks_needed(level)), 1)
        edges_ms = [part[0] for part in np.array_split(known_ms, bands)[1:]]
        widths = np.array([conformal_quantile(part, level) for part in np.array_split(errors, bands)])
        chosen: FloatArray = widths[np.searchsorted(edges_ms, predicted_ms, side="right")]
        return chosen


def networks_needed(level: float) -> int:
    """The fewest held-out networks whose largest error bounds a new network's at ``level``: 99 for 0.99."""
    return math.ceil(round(level / (1 - level), 6))


def conformal_quantile(errors: FloatArray | Sequence[float], level: float) -> float:
    """A bound that a new absolute error, exchangeable with ``errors``, keeps with probability ``level``.

    It is the ``ceil((n + 1) * level)``-th smallest of n errors (Vovk et al. 2005). Where n is too small for
    that to exist, no bound is sure: the largest error is stretched as though errors had an exponential tail,
    by ``log(1 / (1 - level)) / log(n + 1)``, which at the level 0.99 is 2.0 for 9 networks and 1.0 for 99.
    """
    ordered = sorted(errors)
    rank = math.ceil(round((len(ordered) + 1) * level, 6))
    if rank <= len(ordered):
        return float(ordered[rank - 1])
    return float(ordered[-1] * math.log(1 / (1 - level)) / math.log(len(ordered) + 1))
