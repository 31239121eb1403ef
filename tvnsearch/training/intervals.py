"""How far scores on so many clips can be trusted: 95 % confidence intervals over clips."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from tvnsearch.data.dataset import Protocol
from tvnsearch.training.metrics import Labels, Logits, ranked

NORMAL_QUANTILE = 1.959963984540054
"""Of the standard normal distribution at 97.5 %."""

RESAMPLES = 500
PERCENTILES = (2.5, 97.5)


class Interval(Struct, frozen=True):
    """From `low` to `high`, shares between 0 and 1 (or sums of two of them)."""

    low: float
    high: float


def wilson(share: float, clips: int) -> Interval:
    """The score interval of Wilson (1927) for a share of `clips` independent clips."""
    squared = NORMAL_QUANTILE**2
    centre = share + squared / (2 * clips)
    spread = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / clips + squared / (4 * clips**2))
    return Interval(
        max(0.0, (centre - spread) / (1 + squared / clips)),
        min(1.0, (centre + spread) / (1 + squared / clips)),
    )


def bootstrap_mean(values: np.ndarray[tuple[int], np.dtype[np.int64]], seed: int = 0) -> Interval:
    """The percentile bootstrap of a mean of small whole numbers, one a clip."""
    counts = np.bincount(values)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), RESAMPLES)
    return _percentiles(drawn @ np.arange(len(counts)) / len(values))


def bootstrap_mean_average_precision(
    logits: Logits, labels: Labels, protocol: Protocol, seed: int = 0
) -> Interval:
    """The percentile bootstrap of the mean average precision: clips are drawn again with replacement.

    Clips of equal logits are taken one after the other, which differs from the score where there are many.
    """
    order = ranked(logits, labels, protocol)
    positive = np.take_along_axis(labels, order, axis=0).astype(np.float64)
    rng = np.random.default_rng(seed)
    figures = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        times_drawn = np.bincount(rng.integers(len(labels), size=len(labels)), minlength=len(labels))
        weights = times_drawn[order].astype(np.float64)
        hits = weights * positive
        precision = np.cumsum(hits, axis=0) / np.maximum(np.cumsum(weights, axis=0), 1)
        totals = hits.sum(axis=0)
        present = totals > 0
        averages = (hits * precision).sum(axis=0)[present] / totals[present]
        figures[number] = averages.mean() if present.any() else 0.0
    return _percentiles(figures)


def _percentiles(figures: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
    low, high = np.percentile(figures, PERCENTILES)
    return Interval(float(low), float(high))
