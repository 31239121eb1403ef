"""How good predictions are on networks that were not learnt from."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from predictors.call_table import FloatArray


class HeldOutReport(Struct, frozen=True):
    """Whole networks, predicted against measured: shares from 0 to 1, errors in percent of the measured.

    ``rmspe`` is the root of the mean squared percentage error; ``spearman`` and ``kendall`` compare ranks,
    0 where there is nothing to rank.
    """

    within_5_percent: float
    within_10_percent: float
    mape_percent: float
    rmspe_percent: float
    spearman: float
    kendall: float
    networks: int


def held_out_report(predicted_ms: FloatArray, measured_ms: FloatArray) -> HeldOutReport:
    """Compare predicted with measured latencies of the same networks, two of them at least."""
    from scipy.stats import kendalltau, spearmanr  # noqa: PLC0415 - only fitting needs it, and it is slow to import
    from sklearn.metrics import mean_absolute_percentage_error  # noqa: PLC0415

    rankable = np.ptp(predicted_ms) > 0 and np.ptp(measured_ms) > 0
    errors = np.abs(predicted_ms / measured_ms - 1)
    return HeldOutReport(
        within_5_percent=float(np.mean(errors <= 0.05)),
        within_10_percent=float(np.mean(errors <= 0.10)),
        mape_percent=100 * float(mean_absolute_percentage_error(measured_ms, predicted_ms)),
        rmspe_percent=100 * float(np.sqrt(np.mean(errors**2))),
        spearman=float(spearmanr(predicted_ms, measured_ms).statistic) if rankable else 0.0,
        kendall=float(kendalltau(predicted_ms, measured_ms).statistic) if rankable else 0.0,
        networks=len(measured_ms),
    )
