"""A new device from little: what is known of another, each kind of call as much slower as was measured.

Which calls are slow for their size is mostly the runtime's doing, and the same on devices that share it: the
ratio of two devices is smoother than either, and a few minutes tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from predictors.call_table import FloatArray
from predictors.features import MODEL_COLUMNS, CallInContext, ContextTable, model_row, table_of
from predictors.kinds import KIND_NAMES, call_kinds
from predictors.prior import POOLED, RooflinePrior

if TYPE_CHECKING:
    from predictors.booster import Booster

PULL_ROWS = 5
"""A kind's ratio counts as many of its own rows as this against the ratio of all rows."""


class SourceDevice(Struct, frozen=True):
    """What another device's predictor knows of layer calls; ``digest`` is the device's name in databases."""

    digest: str
    prior: RooflinePrior
    model: str
    model_digest: str

    def predict(self, calls: Sequence[CallInContext], table: ContextTable) -> tuple[FloatArray, FloatArray]:
        """Milliseconds of each call there, and the shares that the prior there gives of them."""
        prior_ms, shares = self.prior.in_context(calls, table)
        log_ratios = _booster(self.model).predict(model_row(calls, table, prior_ms, shares))
        return prior_ms * np.exp(log_ratios), shares


class TransferredPrior(Struct, frozen=True, dict=True, tag="transferred"):
    """Another device's predictions, times ``ratios`` by kind of call."""

    origin: SourceDevice
    ratios: dict[str, float]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of calls that were measured on either device."""
        return self.origin.prior.kinds | frozenset(self.ratios) - {POOLED}

    def in_context(
        self, calls: Sequence[CallInContext], table: ContextTable
    ) -> tuple[FloatArray, FloatArray]:
        """Milliseconds for each call, and the share of each of ``WORK_NAMES`` in them, ``(calls, work)``."""
        there_ms, shares = self.origin.predict(calls, table)
        ratios = self._ratios_by_kind[call_kinds(table.distinct)]
        return there_ms * ratios[table.rows], shares

    @cached_property
    def _ratios_by_kind(self) -> FloatArray:
        """The ratio of each of ``KIND_NAMES``."""
        pooled = self.ratios[POOLED]
        return np.array([self.ratios.get(kind, pooled) for kind in KIND_NAMES.tolist()])


def fit_transfer(
    origin: SourceDevice, calls: Sequence[CallInContext], latencies_ms: FloatArray
) -> TransferredPrior:
    """Fit ratios to calls that were measured here: medians, drawn to that of all calls where rows are few."""
    table = table_of(calls)
    log_ratios = np.log(latencies_ms / origin.predict(calls, table)[0])
    pooled = float(np.median(log_ratios))
    kinds = KIND_NAMES[call_kinds(table.distinct)][table.rows]
    ratios = {POOLED: float(np.exp(pooled))}
    for kind in sorted(set(kinds.tolist())):
        own = log_ratios[kinds == kind]
        mixed = (len(own) * np.median(own) + PULL_ROWS * pooled) / (len(own) + PULL_ROWS)
        ratios[kind] = float(np.exp(mixed))
    return TransferredPrior(origin, ratios)


@lru_cache(maxsize=4)
def _booster(model: str) -> Booster:
    from predictors.booster import Booster  # noqa: PLC0415 - LightGBM takes a second to import

    return Booster(model, len(MODEL_COLUMNS))
