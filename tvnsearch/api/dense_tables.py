"""Lookup tables completed over a grid: what was not measured is predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np
from msgspec.structs import replace

from latency_db.lut.grid import Grid
from latency_db.lut.table import LookupTable, LutRow, row_of
from latency_db.reader import StoredProfile
from latency_db.records import call_columns
from predictors.booster import Booster
from predictors.calibration import Calibration
from predictors.call_table import FloatArray
from predictors.features import CallInContext, pass_traffic
from predictors.predictor import SHORTEST_MS, LatencyPredictor, model_columns
from tvnsearch.api.lookup_tables import FoundTable
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.genome.trace import trace


def complete(found: FoundTable, grid: Grid, whole_blocks: bool) -> LookupTable:
    """The table over ``grid``: a call's measured row where there is one, else a predicted one.

    Predicted rows are in a neutral context: after a pointwise convolution of as many channels, in a network
    that moves as many bytes as the median profiled one. Their interval is the predictor's for a network of
    that latency or, where that is wider, the one that the measured rows keep around their own predictions.

    Raises:
        UserError: the predictor never saw a type of layer of the grid.
    """
    predictor = found.predictor
    assert predictor is not None
    measured = {row.call: row for row in (*found.table.rows, *found.blocks)}
    parts = {call: (call,) for call in grid.calls} | (dict(grid.blocks) if whole_blocks else {})
    _require_seen(predictor, grid.calls)
    neutral = _Neutral(predictor, found.profiles)
    calibration = _calibration(neutral, found.table.rows)
    missing = [call for call in parts if call not in measured]
    predicted_ms = neutral.predict([parts[call] for call in missing])
    below, above = np.maximum(
        calibration.band_widths(predictor.level).at(predicted_ms),
        predictor.record.calibration.band_widths(predictor.level).at(predicted_ms),
    )
    rows = [measured[call] for call in parts if call in measured]
    lows_ms, highs_ms = predicted_ms / np.exp(below), predicted_ms * np.exp(above)
    for call, latency_ms, low_ms, high_ms in zip(
        missing, predicted_ms.tolist(), lows_ms.tolist(), highs_ms.tolist(), strict=True
    ):
        rows.append(
            row_of(
                call,
                origin="predicted",
                count=0,
                latency_ms=latency_ms,
                mean_ms=latency_ms,
                low_ms=low_ms,
                high_ms=high_ms,
            )
        )
    return replace(found.table, rows=tuple(sorted(rows, key=lambda row: call_columns(row.call))))


class _Neutral:
    """Predicts calls apart from any one network: the first of a sequence has a neutral call before it."""

    def __init__(self, predictor: LatencyPredictor, profiles: Iterable[StoredProfile]) -> None:
        self._record = predictor.record
        self._booster = Booster(self._record.model, len(self._record.columns))
        bytes_moved = median(trace(profile.genome, profile.classes).bytes_moved for profile in profiles)
        self._pass_traffic = pass_traffic(bytes_moved)

    def predict(self, sequences: Sequence[Sequence[LayerCall]]) -> FloatArray:
        """Milliseconds of each sequence of calls."""
        if not sequences:
            return np.empty(0)
        contexts = [
            CallInContext(call, previous, self._pass_traffic)
            for calls in sequences
            for call, previous in zip(calls, (_before(calls[0]), *calls), strict=False)
        ]
        prior_ms, columns = model_columns(self._record.prior, contexts)
        calls_ms = prior_ms * np.exp(self._booster.predict(columns))
        owners = np.repeat(np.arange(len(sequences)), [len(calls) for calls in sequences])
        return np.asarray(np.bincount(owners, weights=calls_ms), dtype=np.float64)


def _before(call: LayerCall) -> LayerCall | None:
    return layer_call(SpatialConv(call.in_shape.channels), call.in_shape)


def _calibration(neutral: _Neutral, rows: Sequence[LutRow]) -> Calibration:
    predicted_ms = neutral.predict([(row.call,) for row in rows])
    measured_ms = np.maximum([row.latency_ms for row in rows], SHORTEST_MS)
    log_errors = np.log(measured_ms / predicted_ms)
    return Calibration(tuple(predicted_ms.tolist()), tuple(log_errors.tolist()))


def _require_seen(predictor: LatencyPredictor, calls: Sequence[LayerCall]) -> None:
    seen = {kind.partition(":")[0] for kind in predictor.record.prior.kinds}
    unseen = sorted({call.type for call in calls} - seen)
    if unseen:
        raise UserError(
            f"expected layers in the grid that this device's predictor knows, but it never saw "
            f"{', '.join(unseen)}; leave them out, or run `tvnsearch profile` with a --space that has them"
        )
