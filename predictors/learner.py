"""What a profile learns while it runs: quick models that know where they are least sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_db import StoredProfile
from latency_db.aiming import CallEstimates
from predictors.booster import Booster
from predictors.features import MODEL_COLUMNS, in_context
from predictors.fit import Prior, TrainingRows, fit_rows
from predictors.predictor import model_columns
from tvnsearch.genome.trace import Trace

MIN_NETWORKS = 8
"""Fewer undisturbed ones teach nothing worth asking for."""


def learn_halves(profiles: Sequence[StoredProfile], seed: int) -> Halves | None:
    """A predictor in two halves, each learnt from every other network; None from too few."""
    undisturbed = [profile for profile in profiles if profile.network.samples > 0]
    if len(undisturbed) < MIN_NETWORKS:
        return None
    halves = []
    for half in range(2):
        rows = TrainingRows.of(undisturbed[half::2])
        prior, model = fit_rows(rows, np.arange(len(rows.calls)), seed)
        halves.append((prior, Booster(model, len(MODEL_COLUMNS))))
    return Halves(halves)


class Halves:
    """Two predictors of one device: where they disagree, neither is sure.

    Implements :class:`latency_db.aiming.Estimator`. Their geometric mean is the prediction, the difference of
    their logarithms the doubt.
    """

    def __init__(self, halves: Sequence[tuple[Prior, Booster]]) -> None:
        self._halves = halves

    def estimate(self, network: Trace) -> CallEstimates:
        """Milliseconds of each layer call, and how far off each may be."""
        calls = in_context(network)
        logs = []
        for prior, booster in self._halves:
            prior_ms, columns = model_columns(prior, calls)
            logs.append(np.log(prior_ms) + booster.predict(columns))
        latencies_ms = np.exp((logs[0] + logs[1]) / 2)
        doubts_ms = latencies_ms * np.abs(logs[0] - logs[1])
        return CallEstimates(latencies_ms.tolist(), doubts_ms.tolist())
