from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from latency_db import LatencyStore, StoredProfile
from predictors import LatencyPredictor
from predictors.fit import fit_from_store, fit_predictor
from tests.predictors.synthetic_device import (
    CLASSES,
    FINGERPRINT,
    measured,
    network_ms,
    profiles,
    random_genomes,
    store_profiles,
)
from tvnsearch.errors import UserError
from tvnsearch.genome.trace import trace

OTHER = FINGERPRINT | {"threads": "2"}
DENSER = {"spatial_conv": 0.6, "depthwise_conv": 0.9}
"""The other device is quicker where two threads help, by type of call."""


def on_the_other(profile: StoredProfile) -> StoredProfile:
    calls = trace(profile.genome, CLASSES).calls
    latencies_ms = tuple(
        latency_ms * DENSER.get(call.type, 0.8)
        for latency_ms, call in zip(profile.latencies_ms, calls, strict=True)
    )
    network = measured(profile.network.latency_ms * sum(latencies_ms) / sum(profile.latencies_ms))
    return replace(profile, latencies_ms=latencies_ms, network=network)


@pytest.fixture(scope="module")
def few() -> list[StoredProfile]:
    return [on_the_other(profile) for profile in profiles(15, seed=7)]


@pytest.fixture(scope="module")
def adapted(predictor: LatencyPredictor, few: list[StoredProfile]) -> LatencyPredictor:
    return fit_predictor(few, OTHER, origin=predictor.origin)


def test_fifteen_networks_adapt_a_device_better_than_they_teach_one(
    adapted: LatencyPredictor, few: list[StoredProfile]
) -> None:
    alone = fit_predictor(few, OTHER)
    assert adapted.heldout.mape_percent < 0.7 * alone.heldout.mape_percent
    assert adapted.heldout.mape_percent < 6


def test_the_better_start_stays(
    predictor: LatencyPredictor, few: list[StoredProfile], tmp_path: Path
) -> None:
    here = dict.fromkeys(("device", "processor", "threads", "backend", "torch"), "here")
    nonsense = replace(predictor.origin, prior=replace(predictor.origin.prior, floor_ms=1e3))
    with LatencyStore(tmp_path / "latency.sqlite") as store:
        digest = store_profiles(store, here, few)
        assert fit_from_store(store, digest, origin=predictor.origin).adapted_from == predictor.origin.digest
        assert fit_from_store(store, digest, origin=nonsense).adapted_from is None


def test_an_adapted_predictor_says_so_and_loads_as_it_was(adapted: LatencyPredictor, tmp_path: Path) -> None:
    adapted.save(tmp_path / "adapted.json")
    loaded = LatencyPredictor.load(tmp_path / "adapted.json")
    assert loaded.adapted_from == adapted.adapted_from is not None
    genomes = random_genomes(5, seed=3)
    assert loaded.estimate(genomes, CLASSES) == adapted.estimate(genomes, CLASSES)
    for genome, estimate in zip(genomes, loaded.estimate(genomes, CLASSES), strict=True):
        assert estimate.latency_ms == pytest.approx(0.7 * network_ms(genome), rel=0.35)


def test_an_edited_origin_is_refused(adapted: LatencyPredictor, tmp_path: Path) -> None:
    path = tmp_path / "adapted.json"
    adapted.save(path)
    model = adapted.record.prior.origin.model  # type: ignore[union-attr]
    assert "num_leaves=" in model
    path.write_text(path.read_text().replace("num_leaves=", "num_leaves= ", 1))
    with pytest.raises(UserError, match="damaged or edited"):
        LatencyPredictor.load(path)


def test_an_adapted_device_is_no_origin(adapted: LatencyPredictor) -> None:
    with pytest.raises(UserError, match="was adapted from"):
        _ = adapted.origin
