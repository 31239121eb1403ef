"""What a profile learns while it runs: quick models that know where they are least sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_db import StoredProfile
from latency_db.aiming import CallEstimates
from predictors.booster import Booster
from predictors.features import in_context
from predictors.fit import TrainingRows, fit_rows
from predictors.predictor import MODEL_COLUMNS, model_columns
from predictors.prior import RooflinePrior
from tvnsearch.genome.trace import Trace

MIN_NETWORKS = 8
"""Fewer undisturbed ones teach nothing worth asking for."""


class HalvesLearner:
    """A predictor in two halves, each learnt from every other network: where they disagree, neither is sure.

    Implements :class:`latency_db.aiming.Learner`. Their geometric mean is the prediction, the difference of
    their logarithms the doubt.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._halves: list[tuple[RooflinePrior, Booster]] = []

    def learn(self, profiles: Sequence[StoredProfile]) -> None:
        """Start anew from these profiles."""
        undisturbed = [profile for profile in profiles if profile.network.samples > 0]
        if len(undisturbed) < MIN_NETWORKS:
            return
        self._halves = []
        for half in range(2):
            rows = TrainingRows.of(undisturbed[half::2])
            prior, model = fit_rows(rows, np.arange(len(rows.calls)), self._seed)
            self._halves.append((prior, Booster(model, len(MODEL_COLUMNS))))

    def estimate(self, network: Trace) -> CallEstimates | None:
        """Milliseconds of each layer call and how far off each may be; None before it has learnt."""
        if not self._halves:
            return None
        calls = in_context(network)
        logs = []
        for prior, booster in self._halves:
            prior_ms, columns = model_columns(prior, calls)
            logs.append(np.log(prior_ms) + booster.predict(columns))
        latencies_ms = np.exp((logs[0] + logs[1]) / 2)
        doubts_ms = latencies_ms * np.abs(logs[0] - logs[1])
        return CallEstimates(latencies_ms.tolist(), doubts_ms.tolist())
