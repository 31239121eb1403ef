"""Ways to predict a network's latency, from the plainest to the predictor that is shipped, fitted alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from latency_db import StoredProfile
from predictors.booster import PARAMETERS
from predictors.call_table import TYPES
from predictors.features import CATEGORICAL, FEATURE_NAMES, call_features, in_context, table_of
from predictors.fit import fit_predictor
from predictors.prior import fit_prior
from tvnsearch.genome import Genome, trace

FloatArray = NDArray[np.float64]
Predict = Callable[[Sequence[Genome]], FloatArray]
Fit = Callable[[Sequence[StoredProfile], int], Predict]
"""``fit(profiles, classes) -> predict``; ``predict(genomes)`` in ms."""

PLAIN_PARAMETERS = {**PARAMETERS, "learning_rate": 0.05, "seed": 0}
PLAIN_ROUNDS = 400
"""Without a prior LightGBM has all of a latency to learn: it gets ten times the trees, in smaller steps."""


def flops(profiles: Sequence[StoredProfile], classes: int) -> Predict:
    """A constant, and a rate for multiply-adds."""

    def amounts(genomes: Sequence[Genome]) -> FloatArray:
        return np.array([(1.0, trace(genome, classes).macs / 1e9) for genome in genomes])

    measured_ms = _networks_ms(profiles)
    relative = amounts([profile.genome for profile in profiles]) / measured_ms[:, None]
    rates_ms = nnls(relative, np.ones(len(relative)))[0]
    return lambda genomes: np.asarray(amounts(genomes) @ rates_ms)


def prior_alone(profiles: Sequence[StoredProfile], classes: int) -> Predict:
    """The roofline prior's layers, summed."""
    calls = [call for profile in profiles for call in trace(profile.genome, profile.classes).calls]
    prior = fit_prior(calls, np.maximum(_rows_ms(profiles), 1e-4))
    return lambda genomes: np.array(
        [float(prior.predict(trace(genome, classes).calls).sum()) for genome in genomes]
    )


def plain_rows(profiles: Sequence[StoredProfile], classes: int) -> Predict:
    """LightGBM on the log of each layer's milliseconds, all rows alike; layers summed."""
    contexts = [
        context for profile in profiles for context in in_context(trace(profile.genome, profile.classes))
    ]
    targets = np.log(np.maximum(_rows_ms(profiles), 1e-4))
    data = lightgbm.Dataset(
        call_features(contexts, table_of(contexts)),
        targets,
        feature_name=list(FEATURE_NAMES),
        categorical_feature=list(CATEGORICAL),
    )
    booster = lightgbm.train(PLAIN_PARAMETERS, data, PLAIN_ROUNDS)

    def network_ms(genome: Genome) -> float:
        calls = in_context(trace(genome, classes))
        features = call_features(calls, table_of(calls))
        return float(np.exp(booster.predict(features, num_threads=1)).sum())

    return lambda genomes: np.array([network_ms(genome) for genome in genomes])


def whole_networks(profiles: Sequence[StoredProfile], classes: int) -> Predict:
    """LightGBM on the log of each network's milliseconds, from what its layers add up to."""
    features = _summaries([profile.genome for profile in profiles], classes)
    data = lightgbm.Dataset(features, np.log(_networks_ms(profiles)))
    booster = lightgbm.train(PLAIN_PARAMETERS, data, PLAIN_ROUNDS)
    return lambda genomes: np.exp(booster.predict(_summaries(genomes, classes), num_threads=1))


def full(profiles: Sequence[StoredProfile], classes: int) -> Predict:
    """What `tvnsearch fit` trains."""
    predictor = fit_predictor(profiles, {"device": "benchmark"})
    return lambda genomes: np.array(
        [estimate.latency_ms for estimate in predictor.estimate(genomes, classes)]
    )


MODELS: dict[str, Fit] = {
    "flops": flops,
    "prior": prior_alone,
    "plain_rows": plain_rows,
    "whole_networks": whole_networks,
    "full": full,
}


def _networks_ms(profiles: Sequence[StoredProfile]) -> FloatArray:
    return np.array([profile.network.latency_ms for profile in profiles])


def _rows_ms(profiles: Sequence[StoredProfile]) -> FloatArray:
    return np.array([latency_ms for profile in profiles for latency_ms in profile.latencies_ms])


def _summaries(genomes: Sequence[Genome], classes: int) -> FloatArray:
    rows = []
    for genome in genomes:
        network = trace(genome, classes)
        count: Counter[str] = Counter()
        macs: Counter[str] = Counter()
        moved: Counter[str] = Counter()
        for call in network.calls:
            count[call.type] += 1
            macs[call.type] += call.macs
            moved[call.type] += call.bytes_moved
        totals = [network.macs, network.params, network.bytes_moved, len(network.calls), *network.in_shape]
        rows.append([*totals, *(amounts[kind] for amounts in (count, macs, moved) for kind in TYPES)])
    return np.log1p(np.array(rows, dtype=np.float64))
