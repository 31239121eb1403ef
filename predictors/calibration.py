"""How far predictions of whole networks may be trusted: split-conformal bounds from held-out errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from predictors.call_table import FloatArray

DEFAULT_LEVEL = 0.99
"""The share of networks whose latency lies within the bounds, unless the user asks for another."""

FEWEST_IN_BAND = 100
"""No band of latencies has fewer held-out networks."""

FEWEST_IN_TAIL = 1.5
"""A tail of fewer networks is taken to have so many: of a single one nothing can be drawn out."""


class BandWidths(NamedTuple):
    """How far intervals go below predictions and above them, in log milliseconds: ``(2, bands)``.

    ``edges_ms`` are the lower ends of all bands of predicted latency but the first.
    """

    edges_ms: FloatArray
    widths: FloatArray

    def at(self, predicted_ms: FloatArray) -> FloatArray:
        """Both widths for each prediction, those of the band that it falls into: ``(2, predictions)``."""
        chosen: FloatArray = self.widths[:, np.searchsorted(self.edges_ms, predicted_ms, side="right")]
        return chosen


class Calibration(Struct, frozen=True):
    """Held-out networks: what was predicted, and the log of measured over predicted latency, in one order."""

    predicted_ms: tuple[float, ...]
    log_errors: tuple[float, ...]

    def band_widths(self, level: float = DEFAULT_LEVEL) -> BandWidths:
        """The widths at ``level``, half of what it leaves on either side.

        Errors are not as large on both: what disturbs a measurement makes it longer.
        The held-out networks are cut by predicted latency into bands, as many as leave each band twice the
        networks that a side needs, and a hundred: the quantiles of fewer are mostly chance.
        """
        order = np.argsort(self.predicted_ms, kind="stable")
        errors = np.array(self.log_errors)[order]
        known_ms = np.array(self.predicted_ms)[order]
        side_level = (1 + level) / 2
        bands = max(len(order) // max(2 * networks_needed(side_level), FEWEST_IN_BAND), 1)
        edges_ms = np.array([part[0] for part in np.array_split(known_ms, bands)[1:]])
        widths = [
            [
                max(conformal_quantile(part, side_level, tail_share=0.5), 0.0)
                for part in np.array_split(side, bands)
            ]
            for side in (-errors, errors)
        ]
        return BandWidths(edges_ms, np.array(widths))


def networks_needed(level: float) -> int:
    """The fewest held-out networks whose largest error bounds a new one's at ``level``: 99 for 0.99."""
    return math.ceil(round(level / (1 - level), 6))


def conformal_quantile(errors: FloatArray | Sequence[float], level: float, tail_share: float = 1.0) -> float:
    """A bound that a new error, exchangeable with ``errors``, keeps with probability ``level``.

    It is the ``ceil((n + 1) * level)``-th smallest of n errors (Vovk et al. 2005). Where n is too small for
    that to exist, no bound is sure: the largest error is stretched as though a ``tail_share`` of errors had
    an exponential tail, by ``log(tail_share / (1 - level)) / log(tail_share * (n + 1))``, which for absolute
    errors at the level 0.99 is 2.0 for 9 networks and 1.0 for 99. Of signed errors half are in a tail.
    """
    ordered = np.sort(errors)
    rank = math.ceil(round((len(ordered) + 1) * level, 6))
    if rank <= len(ordered):
        return float(ordered[rank - 1])
    expected = max(tail_share * (len(ordered) + 1), FEWEST_IN_TAIL)
    return float(ordered[-1] * math.log(tail_share / (1 - level)) / math.log(expected))
