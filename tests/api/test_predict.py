"""Predictions: those of the predictor that is kept, whatever a network is named by."""

from __future__ import annotations

import msgspec
import pytest

import tvnsearch
from latency_db import LatencyStore
from predictors.fit import fit_from_store
from tests.api.watches import Heard
from tvnsearch.api.trained_model import load_model
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_id, trace
from tvnsearch.genome.zoo import load_zoo

GENOME = load_zoo("tvn-m-2")


def test_a_prediction_is_the_predictors(profiled, tmp_path):
    with LatencyStore(profiled) as store:
        predictor = fit_from_store(store, store.devices()[0].digest)
    named, as_data = tvnsearch.predict(["tvn-m-2", GENOME], classes=10, db=profiled)
    [estimate] = predictor.estimate([GENOME], 10)
    assert (named.latency_ms, named.lower_ms, named.upper_ms) == (
        estimate.latency_ms,
        estimate.lower_ms,
        estimate.upper_ms,
    )
    assert named.layers == predictor.layers(GENOME, 10)
    assert (named.params, named.macs) == (trace(GENOME, 10).params, trace(GENOME, 10).macs)
    assert as_data == msgspec.structs.replace(named, name=genome_id(GENOME))


def test_what_was_not_asked_for_is_no_key(profiled):
    [plain] = msgspec.to_builtins(tvnsearch.predict(["tvn-m-2"], db=profiled))
    assert not {"over_budget", "hints"} & plain.keys()
    [kept] = msgspec.to_builtins(tvnsearch.predict(["tvn-m-2"], max_ms=1e6, db=profiled))
    assert kept["over_budget"] == []


def test_the_others_keep_the_budget_without_the_slowest(profiled):
    [over] = tvnsearch.predict(["tvn-m-2"], max_ms=1, explain=True, db=profiled)
    left_ms = over.latency_ms - sum(layer.latency_ms for layer in over.over_budget)
    assert left_ms <= 1 < left_ms + over.over_budget[-1].latency_ms
    best = over.hints[0]
    assert best.saves_ms == pytest.approx(over.latency_ms - best.latency_ms)
    assert best.saves_ms == max(hint.saves_ms for hint in over.hints)


def test_a_guess_is_said_to_be_one(profiled):
    heard = Heard()
    [guessed] = tvnsearch.predict(["i3d"], db=profiled, watch=heard.watch)
    assert "conv3d" in guessed.never_profiled
    [sentence] = heard.said
    assert sentence.startswith("i3d has layers that were never profiled on this device (")


def test_a_device_that_was_not_profiled_is_a_sentence(profiled, tmp_path):
    with pytest.raises(UserError, match="profile"):
        tvnsearch.predict(["tvn-1"], tvnsearch.open_device("cpu", precision="bfloat16"), db=profiled)
    with pytest.raises(UserError, match="there is none"):
        tvnsearch.predict(["tvn-1"], db=tmp_path / "none.sqlite")


def test_each_network_is_predicted_with_the_classes_that_it_was_trained_for(profiled, net):
    asked = ["tvn-m-2", net, "tvn-1"]
    own = tvnsearch.predict(asked, db=profiled)
    assert [prediction.classes for prediction in own] == [339, 3, 339]
    assert own[0] == tvnsearch.predict("tvn-m-2", classes=339, db=profiled)[0]
    assert own[1] == tvnsearch.predict(net, classes=3, db=profiled)[0]
    assert own[2] == tvnsearch.predict("tvn-1", classes=339, db=profiled)[0]
    wide = tvnsearch.predict(asked, classes=1000, db=profiled)
    assert [prediction.classes for prediction in wide] == [1000] * 3
    assert wide[1].params > own[1].params == trace(load_model(net).genome, 3).params
