"""Devices that are not here: found by name in a database, predicted, and named in a budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.numbers import parse_max_ms
from latency_db import LatencyStore
from predictors import predictor_path
from tests.predictors.synthetic_device import (
    CLASSES,
    network_ms,
    profiles,
    random_genomes,
    store_profiles,
)
from tvnsearch.api.other_devices import predictor_of_other
from tvnsearch.devices import LayerProfile, fingerprint_digest
from tvnsearch.errors import UserError

HERE = {"device": "cpu", "precision": "float32", "batch": "1", "deployment": "2"}
H200 = {**HERE, "device": "cuda", "processor": "NVIDIA H200", "threads": "1"}
OLD = {**H200, "deployment": "1"}
HALF = {**H200, "precision": "bfloat16"}
H100 = {**H200, "processor": "NVIDIA H100 80GB HBM3"}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "latency.sqlite"
    with LatencyStore(path) as store:
        for fingerprint, count in ((H200, 30), (HALF, 1), (OLD, 1), (H100, 1)):
            session = store.start_session(fingerprint, "digits", seed=1, max_ms=50.0)
            for index, made_up in enumerate(profiles(count, seed=1)):
                still = (0.0,) * len(made_up.latencies_ms)
                stamped = LayerProfile(made_up.latencies_ms, still, 9, 0, made_up.network, made_up.parts)
                store.add_profile(session, index, made_up.genome, made_up.classes, stamped, seconds=1.0)
    return path


def test_tables_of_another_device_predict_it(db: Path) -> None:
    predictor = predictor_of_other(db, "nvidia-h200", HERE)
    genomes = random_genomes(20, seed=99)
    for genome, estimate in zip(genomes, predictor.estimate(genomes, CLASSES), strict=True):
        assert estimate.lower_ms < estimate.upper_ms
        assert estimate.latency_ms == pytest.approx(network_ms(genome), rel=0.6)
    assert predictor_path(db, fingerprint_digest(H200)).is_file()
    again = predictor_of_other(db, fingerprint_digest(H200), HERE)
    assert again.record == predictor.record


def test_bounds_elsewhere_hold_at_the_level_that_was_asked_for(db: Path) -> None:
    genomes = random_genomes(5, seed=99)
    sure, less_sure = (
        predictor_of_other(db, "nvidia-h200", HERE, level).estimate(genomes, CLASSES) for level in (0.99, 0.8)
    )
    assert all(one.upper_ms > other.upper_ms for one, other in zip(sure, less_sure, strict=True))


def test_tables_that_are_merged_in_later_count(db: Path) -> None:
    before = predictor_of_other(db, "nvidia-h200", HERE)
    with LatencyStore(db) as store:
        store_profiles(store, H200, profiles(12, seed=2))
    after = predictor_of_other(db, "nvidia-h200", HERE)
    assert (before.heldout.networks, after.heldout.networks) == (30, 42)


def test_a_name_that_means_no_device_or_several_is_a_sentence(db: Path) -> None:
    with pytest.raises(UserError, match=r"but it means 0 of those held: .*NVIDIA H100"):
        predictor_of_other(db, "apple-m3", HERE)
    with pytest.raises(UserError, match="but it means 2 of those held: "):
        predictor_of_other(db, "nvidia", HERE)


def test_budgets_of_one_device_and_of_several_are_read() -> None:
    assert parse_max_ms("50", "cpu") == (50.0, {})
    assert parse_max_ms("cpu=50,nvidia-h200=10.5", "cpu") == (50.0, {"nvidia-h200": 10.5})
    assert parse_max_ms("nvidia-h200=10, 7", "cuda") == (7.0, {"nvidia-h200": 10.0})


@pytest.mark.parametrize(
    "text", ["", "fast", "cpu=", "cpu=50;x=3", "nvidia-h200=10", "cpu=50,cpu=40", "50,cpu=40"]
)
def test_what_is_no_budget_is_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="expected --max-ms to "):
        parse_max_ms(text, "cpu")
