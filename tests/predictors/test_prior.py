from __future__ import annotations

import numpy as np
import pytest

from predictors.call_table import CallTable
from predictors.features import WORK_NAMES, call_work
from predictors.kinds import RELATIVES
from predictors.prior import POOLED, RooflinePrior, fit_prior
from tests.predictors.synthetic_device import random_genomes
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import NonLocal, SpatialConv, SqueezeExcite
from tvnsearch.genome.trace import trace


def calls_of(count: int, seed: int, space: str = "digits") -> list[LayerCall]:
    return [call for genome in random_genomes(count, seed, space) for call in trace(genome).calls]


def test_recovers_a_device_that_is_a_roofline() -> None:
    rates = np.random.default_rng(0).uniform(0.5, 2.0, len(WORK_NAMES))
    learnt, new = calls_of(150, seed=1), calls_of(30, seed=2)
    rates /= call_work(CallTable(learnt)).mean(axis=0).clip(1)
    prior = fit_prior(learnt, call_work(CallTable(learnt)) @ rates)
    assert prior.predict(new) == pytest.approx(call_work(CallTable(new)) @ rates, rel=0.1)


def test_outliers_do_not_bend_it() -> None:
    calls = calls_of(100, seed=1)
    clean_ms = 0.01 + call_work(CallTable(calls))[:, WORK_NAMES.index("activation_bytes")] / 1e7
    disturbed_ms = clean_ms * np.where(np.arange(len(calls)) % 10 == 0, 3.0, 1.0)
    ratios = fit_prior(calls, disturbed_ms).predict(calls) / clean_ms
    assert np.median(ratios) == pytest.approx(1.0, abs=0.08)


def test_is_positive_and_grows_far_beyond_what_was_measured() -> None:
    learnt = calls_of(60, seed=1)
    latencies_ms = 0.01 + call_work(CallTable(learnt))[:, WORK_NAMES.index("real_macs")] / 1e8
    prior = fit_prior(learnt, latencies_ms)
    conv = SpatialConv(filters=64, kernel=3)
    calls = [layer_call(conv, Shape(8, size, size, 64)) for size in (1, 8, 64, 256, 1024)]
    predicted_ms = prior.predict([call for call in calls if call is not None])
    assert (predicted_ms > 0).all()
    assert (np.diff(predicted_ms) > 0).all()


def test_kinds_that_were_never_measured_take_the_pooled_rates() -> None:
    learnt = [call for call in calls_of(60, seed=1) if call.type != "non_local"]
    prior = fit_prior(learnt, 0.01 + np.array([call.bytes_moved for call in learnt]) / 1e7)
    call = layer_call(NonLocal(bottleneck=16), Shape(4, 16, 16, 64))
    assert call is not None
    [predicted_ms] = prior.predict([call])
    assert predicted_ms == pytest.approx(0.01 + call.bytes_moved / 1e7, rel=0.5)


def test_a_kind_that_was_never_measured_takes_the_rates_of_its_relatives() -> None:
    learnt = [call for call in calls_of(150, seed=1) if call.type != "squeeze_excite"]

    def device_ms(call: LayerCall) -> float:
        return (5 if call.type in RELATIVES["gates"] else 1) * (0.01 + call.bytes_moved / 1e7)

    prior = fit_prior(learnt, np.array([device_ms(call) for call in learnt]))
    call = layer_call(SqueezeExcite(ratio=0.25), Shape(4, 16, 16, 64))
    assert call is not None
    assert prior.predict([call]) == pytest.approx([device_ms(call)], rel=0.3)
    assert "gates" not in prior.kinds
    assert "squeeze_excite:clip_sigmoid" not in prior.kinds


def test_never_predicts_nothing() -> None:
    prior = RooflinePrior(rates_ms={POOLED: (0.0,) * len(WORK_NAMES)}, floor_ms=1e-3)
    assert (prior.predict(calls_of(5, seed=1)) == 1e-3).all()
