"""Bounds that follow a search: every real measurement counts, and drift away from the profile is noticed."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from predictors.calibration import Calibration
from predictors.call_table import FloatArray

WATCHED = 40
"""The latest measurements, whose misses are counted."""

UNLIKELY = 0.001
"""The probability of so many misses, were the bounds right, below which they are not."""

REMEMBERED = 400
"""Measurements kept: evolution leaves behind what it measured long ago."""


class Recalibration:
    """The bounds of a predictor while a search measures some of the networks that it predicts.

    Measured networks join the held-out ones. Evolution walks away from the distribution that those were drawn
    from; once the latest measurements miss the held-out networks' bounds too often for chance, those are
    forgotten and the measured ones alone tell how wide bounds must be.
    """

    def __init__(self, held_out: Calibration, level: float) -> None:
        self._held_out = held_out
        self._level = level
        self._measured: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._missed: deque[bool] = deque(maxlen=WATCHED)
        self._has_drifted = False
        self._calibration = held_out

    def half_widths(self, predicted_ms: FloatArray) -> FloatArray:
        """As :meth:`Calibration.half_widths`, at the level of this predictor."""
        return self._calibration.half_widths(predicted_ms, self._level)

    def observe(self, predicted_ms: float, measured_ms: float) -> str | None:
        """Take a measurement into account; a sentence the first time that drift is noticed."""
        log_error = float(np.log(measured_ms / predicted_ms))
        held_out_width = self._held_out.half_widths(np.array([predicted_ms]), self._level)[0]
        self._missed.append(abs(log_error) > float(held_out_width))
        self._measured.append((predicted_ms, log_error))
        misses = sum(self._missed)
        by_chance = _probability_of_so_many(misses, len(self._missed), 1 - self._level)
        drifts_now = not self._has_drifted and misses > 1 and by_chance < UNLIKELY
        self._has_drifted |= drifts_now
        self._calibration = self._of_all()
        if not drifts_now:
            return None
        return (
            f"{misses} of the last {len(self._missed)} measurements were outside the predictor's "
            f"{100 * self._level:g} % bounds: the search has left what was profiled; from now on bounds rest "
            f"on its own measurements alone; `tvnsearch profile` with this --space and --max-ms narrows them"
        )

    def _of_all(self) -> Calibration:
        predicted_ms, log_errors = zip(*self._measured, strict=True)
        if self._has_drifted:
            return Calibration(predicted_ms, log_errors)
        return Calibration(
            (*self._held_out.predicted_ms, *predicted_ms), (*self._held_out.log_errors, *log_errors)
        )


def _probability_of_so_many(misses: int, of: int, each: float) -> float:
    """Of ``misses`` or more, where each of ``of`` has the probability ``each``."""
    return sum(
        math.comb(of, count) * each**count * (1 - each) ** (of - count) for count in range(misses, of + 1)
    )
