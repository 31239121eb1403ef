"""The roofline prior: milliseconds as a non-negative sum over work, one set of rates for each kind of call.

It knows only that more work takes longer, so it is the part of a prediction that can be trusted far away
from what was measured. LightGBM learns what it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct

from predictors.call_table import CUT_TYPES, CallTable, FloatArray
from predictors.features import WORK_NAMES, CallInContext, ContextTable, call_work
from tvnsearch.genome.calls import LayerCall

POOLED = "pooled"
"""The kind whose rates are fitted to all calls; it stands in for kinds that were never measured."""

FEW_CHANNELS = 8
"""Below this many input channels (the image itself, mostly), runtimes use another convolution kernel."""

PULL = 0.3
"""How strongly a kind's rates are drawn to the pooled ones; matters for what a kind's rows do not tell."""

ROBUST_ROUNDS = 5
SMALLEST_RELATIVE_ERROR = 0.1
"""Calls predicted closer than this count alike; farther ones count less, so that no outlier bends a rate."""

_CONVOLUTIONS = frozenset(CUT_TYPES)
_POOLS = frozenset({"spatial_pool", "temporal_pool"})


class RooflinePrior(Struct, frozen=True, dict=True, tag="roofline"):
    """Rates by kind of call, in ms per unit of each of ``WORK_NAMES``; predicts ``floor_ms`` at least."""

    rates_ms: dict[str, tuple[float, ...]]
    floor_ms: float

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of calls that it was fitted to."""
        return frozenset(self.rates_ms) - {POOLED}

    def predict(self, calls: Sequence[LayerCall]) -> FloatArray:
        """Milliseconds for each call, all of them positive."""
        return self._predict_shares(calls, CallTable(calls))[0]

    def in_context(
        self, contexts: Sequence[CallInContext], table: ContextTable
    ) -> tuple[FloatArray, FloatArray]:
        """Milliseconds for each call, and the share of each of ``WORK_NAMES`` in them, ``(calls, work)``.

        ``table`` is the :func:`~predictors.features.table_of` of them; what ran before a call makes no
        difference to this prior.
        """
        latencies_ms, shares = self._predict_shares(table.calls, table.distinct)
        return latencies_ms[table.rows], shares[table.rows]

    def _predict_shares(self, calls: Sequence[LayerCall], table: CallTable) -> tuple[FloatArray, FloatArray]:
        kinds, rates_ms = self._rates
        rows = [kinds.get(call_kind(call), kinds[POOLED]) for call in calls]
        parts_ms = call_work(table) * rates_ms[np.array(rows, dtype=np.intp)]
        latencies_ms = np.maximum(parts_ms.sum(axis=1), self.floor_ms)
        return latencies_ms, parts_ms / latencies_ms[:, None]

    @cached_property
    def _rates(self) -> tuple[dict[str, int], FloatArray]:
        """The row of each kind, and the rows."""
        return {kind: row for row, kind in enumerate(self.rates_ms)}, np.array(list(self.rates_ms.values()))


def call_kind(call: LayerCall) -> str:
    """What runs at the same rates: the type, and what makes a runtime take another kernel for it.

    Any convolution over a single pixel, or a single frame, is deployed as a 1x1 one.
    """
    if call.type in _CONVOLUTIONS:
        if call.in_shape.channels < FEW_CHANNELS:
            return f"{call.type}:few_channels"
        size = call.in_shape.frames if call.type.startswith("temporal") else call.in_shape.height
        return f"{call.type}:pointwise" if call.kernel == 1 or size == 1 else call.type
    if call.type in _POOLS:
        if call.kernel == 1:
            return f"{call.type}:strided"
        if call.in_shape.channels < FEW_CHANNELS:
            return f"{call.type}:few_channels"
    return f"{call.type}:{call.mode}" if call.mode else call.type


def fit_prior(calls: Sequence[LayerCall], latencies_ms: FloatArray) -> RooflinePrior:
    """Fit rates to measured calls by non-negative least squares of relative errors, robust to outliers."""
    # Each row is divided by its latency: the perfect prediction is 1 everywhere.
    relative_work = call_work(CallTable(calls)) / latencies_ms[:, None]
    scale = np.sqrt((relative_work**2).mean(axis=0))
    scale[scale == 0] = 1.0
    pooled = _robust_rates(relative_work / scale, pull_to=np.zeros(len(WORK_NAMES)))
    kinds = np.array([call_kind(call) for call in calls])
    rates = {
        kind: _robust_rates(relative_work[kinds == kind] / scale, pull_to=pooled)
        for kind in sorted(set(kinds.tolist()))
    }
    return RooflinePrior(
        rates_ms={
            kind: tuple((fitted / scale).tolist()) for kind, fitted in {POOLED: pooled, **rates}.items()
        },
        floor_ms=float(latencies_ms.min()) / 2,
    )


def _robust_rates(relative_work: FloatArray, pull_to: FloatArray) -> FloatArray:
    """Non-negative rates with ``relative_work @ rates`` near 1, near ``pull_to`` where that says nothing."""
    from scipy.optimize import nnls  # noqa: PLC0415 - only fitting needs it, and it takes a while to import

    pull = PULL * np.eye(len(pull_to))
    weights = np.ones(len(relative_work))
    for _ in range(ROBUST_ROUNDS):
        rates: FloatArray = nnls(
            np.vstack([relative_work * weights[:, None], pull]), np.concatenate([weights, PULL * pull_to])
        )[0]
        errors = np.abs(relative_work @ rates - 1)
        weights = 1 / np.sqrt(np.maximum(errors, SMALLEST_RELATIVE_ERROR))
    return rates
