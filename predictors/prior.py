"""The roofline prior: milliseconds as a non-negative sum over work, one set of rates for each kind of call.

It knows only that more work takes longer, so it is the part of a prediction that can be trusted far away
from what was measured. LightGBM learns what it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct

from predictors.call_table import CallTable, FloatArray
from predictors.features import WORK_NAMES, CallInContext, ContextTable, call_work
from predictors.kinds import KIND_NAMES, RELATIVES, call_kinds, relatives_of
from tvnsearch.genome.calls import LayerCall

POOLED = "pooled"
"""The rates that are fitted to all calls; they stand in for what nothing like was ever measured."""

PULL = 0.3
"""How strongly a kind's rates are drawn to the pooled ones; matters for what a kind's rows do not tell."""

ROBUST_ROUNDS = 5
SMALLEST_RELATIVE_ERROR = 0.1
"""Calls predicted closer than this count alike; farther ones count less, so that no outlier bends a rate."""


class RooflinePrior(Struct, frozen=True, dict=True, tag="roofline"):
    """Rates by kind of call, in ms per unit of each of ``WORK_NAMES``; predicts ``floor_ms`` at least.

    Kinds that were never measured take the rates of their relatives.
    """

    rates_ms: dict[str, tuple[float, ...]]
    floor_ms: float

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of calls that it was fitted to."""
        return frozenset(self.rates_ms) - {POOLED, *RELATIVES}

    def predict(self, calls: Sequence[LayerCall]) -> FloatArray:
        """Milliseconds for each call, all of them positive."""
        return self._predict_shares(CallTable(calls))[0]

    def in_context(
        self, contexts: Sequence[CallInContext], table: ContextTable
    ) -> tuple[FloatArray, FloatArray]:
        """Milliseconds for each call, and the share of each of ``WORK_NAMES`` in them, ``(calls, work)``.

        ``table`` is the :func:`~predictors.features.table_of` of them; what ran before a call makes no
        difference to this prior.
        """
        latencies_ms, shares = self._predict_shares(table.distinct)
        return latencies_ms[table.rows], shares[table.rows]

    def _predict_shares(self, table: CallTable) -> tuple[FloatArray, FloatArray]:
        parts_ms = call_work(table) * self._rates_by_kind[call_kinds(table)]
        latencies_ms = np.maximum(parts_ms.sum(axis=1), self.floor_ms)
        return latencies_ms, parts_ms / latencies_ms[:, None]

    @cached_property
    def _rates_by_kind(self) -> FloatArray:
        """A row of rates for each of ``KIND_NAMES``."""
        return np.array([self.rates_ms.get(kind) or self._stand_in(kind) for kind in KIND_NAMES.tolist()])

    def _stand_in(self, kind: str) -> tuple[float, ...]:
        return self.rates_ms.get(relatives_of(kind) or POOLED, self.rates_ms[POOLED])


def fit_prior(calls: Sequence[LayerCall], latencies_ms: FloatArray) -> RooflinePrior:
    """Fit rates to measured calls by non-negative least squares of relative errors, robust to outliers."""
    # Each row is divided by its latency: the perfect prediction is 1 everywhere.
    table = CallTable(calls)
    relative_work = call_work(table) / latencies_ms[:, None]
    scale = np.sqrt((relative_work**2).mean(axis=0))
    scale[scale == 0] = 1.0
    pooled = _robust_rates(relative_work / scale, pull_to=np.zeros(len(WORK_NAMES)))
    rates = {POOLED: pooled}
    kinds = KIND_NAMES[call_kinds(table)]
    relatives = np.array([relatives_of(kind) or POOLED for kind in kinds.tolist()])
    for name in sorted({*relatives.tolist()} - {POOLED}):
        rates[name] = _robust_rates(relative_work[relatives == name] / scale, pull_to=pooled)
    for name in sorted({*kinds.tolist()}):
        pull_to = rates[relatives_of(name) or POOLED]
        rates[name] = _robust_rates(relative_work[kinds == name] / scale, pull_to)
    return RooflinePrior(
        rates_ms={name: tuple((fitted / scale).tolist()) for name, fitted in rates.items()},
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
