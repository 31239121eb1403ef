"""Predictions that follow a search: every real measurement counts, and drift from the profile is noticed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import median

import numpy as np

from predictors.calibration import Calibration, conformal_quantile, networks_needed
from predictors.call_table import FloatArray
from predictors.rejection import chance_to_keep, smallest_rejected
from tvnsearch.search.protocols import LatencyEstimate

WATCHED = 40
"""The latest measurements, whose misses are counted."""

UNLIKELY = 0.0002
"""The probability of so many misses, were the bounds right, below which they are not.

It is asked after each measurement: of searches of 400 that keep their bounds, one in a hundred is accused.
"""

REMEMBERED = 400
"""Measurements kept: evolution leaves behind what it measured long ago."""

NARROWEST = 1e-6
"""A side of an interval that is narrower, in log milliseconds, is taken as this wide."""

MET = 500
"""So many of the latest networks that a search came upon tell where the next ones will be."""

NEAR = 0.4
"""Measured networks predicted so far from a budget, in log milliseconds, tell of errors at the budget."""

NEAREST = 200
"""So many held-out networks, the nearest to a budget, tell of them, too."""

HELD_OUT_COUNT = 8
"""As many measured ones near the budget weigh as much as all held-out ones."""

DOUBT = 4
"""So many measurements tell what is common to them as surely as that they have nothing in common.

What networks of one search have in common (their blocks, the machine's state in these minutes) is off by
about half as much as a single network: the ratio of the variances.
"""


class Recalibration:
    """What measurements of a search change in the predictions of its networks.

    Networks of one search resemble each other, and so do a predictor's errors on them: predictions move by
    the median of the latest errors. Measured networks join the held-out ones in the bounds, by what their
    errors are beside that; once a share of the held-out networks' widths is enough for them, bounds are that
    share. Evolution walks away from the distribution that the held-out ones were drawn from; once the latest
    measurements miss their bounds too often for chance, those are forgotten and the measured ones alone tell
    how wide bounds must be.

    Bounds are those of each network. What a budget rejects is settled for all that a search comes upon
    (:mod:`predictors.rejection`): of those that keep it no more than half of what the level leaves is lost.
    """

    def __init__(self, held_out: Calibration, level: float) -> None:
        self._held_out = held_out
        self._level = level
        self._measured: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._missed: deque[bool] = deque(maxlen=WATCHED)
        self._has_drifted = False
        self._shift = 0.0
        self._narrowing = np.ones(2)
        self._band_widths = self._held_out_widths = held_out.band_widths(level)
        self._met_ms = deque(held_out.predicted_ms, maxlen=MET)
        self._rejected_from_ms: dict[float, float] = {}

    def moved(self, predicted_ms: FloatArray) -> FloatArray:
        """Predictions, moved by what the latest measurements have in common."""
        return np.asarray(predicted_ms * math.exp(self._shift))

    def widths(self, predicted_ms: FloatArray) -> FloatArray:
        """How far intervals go below moved predictions and above them, in log milliseconds: ``(2, n)``."""
        narrowing = self._narrowing[:, None]
        narrowed = narrowing * self._held_out_widths.at(predicted_ms)
        return np.where(narrowing < 1, narrowed, self._band_widths.at(predicted_ms))

    def with_bounds(self, unmoved_ms: FloatArray) -> FloatArray:
        """Predictions, moved, their lower and their upper bounds: ``(3, n)``."""
        predicted_ms = self.moved(unmoved_ms)
        below, above = np.exp(self.widths(predicted_ms))
        return np.array([predicted_ms, predicted_ms / below, predicted_ms * above])

    def estimates(self, unmoved_ms: FloatArray) -> list[LatencyEstimate]:
        """Predictions, moved, with their bounds."""
        return list(map(LatencyEstimate, *self.with_bounds(unmoved_ms).tolist()))

    def over(self, unmoved_ms: FloatArray, max_ms: float) -> list[LatencyEstimate | None]:
        """The estimates of those that ``max_ms`` rejects, None for the others."""
        columns = self.with_bounds(unmoved_ms)
        predicted_ms, lower_ms, _ = columns
        places = np.flatnonzero((predicted_ms >= self._rejected_from(max_ms)) | (lower_ms > max_ms))
        over: list[LatencyEstimate | None] = [None] * len(predicted_ms)
        for place, *estimate in zip(places.tolist(), *columns[:, places].tolist(), strict=True):
            over[place] = LatencyEstimate(*estimate)
        return over

    def meet(self, predicted_ms: Sequence[float]) -> None:
        """Take networks into account that a search came upon, by their moved predictions."""
        self._met_ms.extend(predicted_ms)
        self._rejected_from_ms.clear()

    def observe(self, predicted_ms: float, measured_ms: float) -> str | None:
        """Take a measurement into account; a sentence the first time that drift is noticed.

        ``predicted_ms`` is the prediction before it was moved.
        """
        self._rejected_from_ms.clear()
        log_error = math.log(measured_ms / predicted_ms)
        below, above = self._held_out_widths.at(self.moved(np.array([predicted_ms])))[:, 0].tolist()
        self._missed.append(not -below <= log_error - self._shift <= above)
        self._measured.append((predicted_ms, log_error))
        latest = [error for _, error in self._measured][-WATCHED:]
        self._shift = median(latest) * len(latest) / (len(latest) + DOUBT)
        misses = sum(self._missed)
        by_chance = _probability_of_so_many(misses, len(self._missed), 1 - self._level)
        drifts_now = not self._has_drifted and misses > 1 and by_chance < UNLIKELY
        self._has_drifted |= drifts_now
        self._narrowing = np.ones(2) if self._has_drifted else self._narrowed()
        self._band_widths = self._of_all().band_widths(self._level)
        if not drifts_now:
            return None
        return (
            f"{misses} of the last {len(self._missed)} measurements were outside the predictor's "
            f"{100 * self._level:g} % bounds: the search has left what was profiled; from now on bounds rest "
            f"on its own measurements alone; `tvnsearch profile` with this --space and --max-ms narrows them"
        )

    def _narrowed(self) -> FloatArray:
        """The shares of the held-out networks' widths within which the measured ones are, below and above.

        All of them while too few were measured to tell: a lucky few would narrow bounds to nothing. Where
        there are enough for both sides together and not for each, both have the same share.
        """
        if len(self._measured) < networks_needed(self._level):
            return np.ones(2)
        raw_ms, raw_errors = (np.array(values) for values in zip(*self._measured, strict=True))
        errors = raw_errors - self._shift
        below, above = np.maximum(self._held_out_widths.at(self.moved(raw_ms)), NARROWEST)
        side_level = (1 + self._level) / 2
        if len(errors) < networks_needed(side_level):
            share = conformal_quantile(np.maximum(-errors / below, errors / above), self._level)
            return np.full(2, min(share, 1.0))
        shares = [conformal_quantile(side, side_level) for side in (-errors / below, errors / above)]
        return np.clip(shares, 0.0, 1.0)

    def _rejected_from(self, max_ms: float) -> float:
        """The moved prediction in ms from which on networks are rejected, for all that were met lately."""
        if max_ms not in self._rejected_from_ms:
            log_ratios = np.log(np.array(self._met_ms) / max_ms)
            chances = self._chances_to_keep(log_ratios, max_ms)
            smallest = smallest_rejected(log_ratios, chances, (1 - self._level) / 2)
            self._rejected_from_ms[max_ms] = max_ms * math.exp(smallest)
        return self._rejected_from_ms[max_ms]

    def _chances_to_keep(self, log_ratios: FloatArray, max_ms: float) -> FloatArray:
        raw_ms, raw_errors = np.array(self._measured).reshape(-1, 2).T
        is_near = np.abs(np.log(self.moved(raw_ms) / max_ms)) <= NEAR
        of_measured = chance_to_keep(log_ratios, raw_errors[is_near] - self._shift)
        if self._has_drifted:
            return of_measured
        distances = np.abs(np.log(np.array(self._held_out.predicted_ms) / max_ms))
        nearest = np.argsort(distances, kind="stable")[:NEAREST]
        of_held_out = chance_to_keep(log_ratios, np.array(self._held_out.log_errors)[nearest])
        held_out_share = HELD_OUT_COUNT / (HELD_OUT_COUNT + is_near.sum())
        return np.asarray(held_out_share * of_held_out + (1 - held_out_share) * of_measured)

    def _of_all(self) -> Calibration:
        raw_ms, raw_errors = zip(*self._measured, strict=True)
        predicted_ms = self.moved(np.array(raw_ms)).tolist()
        log_errors = (np.array(raw_errors) - self._shift).tolist()
        if self._has_drifted:
            return Calibration(tuple(predicted_ms), tuple(log_errors))
        return Calibration(
            (*self._held_out.predicted_ms, *predicted_ms), (*self._held_out.log_errors, *log_errors)
        )


def _probability_of_so_many(misses: int, of: int, each: float) -> float:
    """Of ``misses`` or more, where each of ``of`` has the probability ``each``."""
    return sum(
        math.comb(of, count) * each**count * (1 - each) ** (of - count) for count in range(misses, of + 1)
    )
