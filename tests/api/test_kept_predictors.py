"""A run predicts by what its predictors were when it began, whatever becomes of the database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from latency_db import LatencyStore
from tests.predictors.synthetic_device import profiles, random_genomes, store_profiles
from tvnsearch.api import device_latency
from tvnsearch.api.device_latency import DeviceLatency
from tvnsearch.api.kept_predictors import own_path
from tvnsearch.devices import open_device
from tvnsearch.errors import UserError
from tvnsearch.search.protocols import LatencyEstimate

CLASSES = 10


@pytest.fixture
def db(profiled: Path, tmp_path: Path) -> Path:
    """A database of this device and of a far one, to be changed."""
    for path in profiled.parent.iterdir():
        shutil.copy(path, tmp_path / path.name)
    db = tmp_path / profiled.name
    with LatencyStore(db) as store:
        [here] = store.devices()
        store_profiles(store, {**here.fingerprint, "processor": "Far / Away 9"}, profiles(30, seed=1))
    return db


def predicted(db: Path, kept: Path, keeps: bool = False) -> list[LatencyEstimate]:
    """What a search would predict for some genomes, here and on the other device."""
    genomes = random_genomes(5, seed=99)
    with DeviceLatency.open(open_device("cpu"), db, CLASSES, 50.0, ["far / away"], kept=kept) as latency:
        if keeps:
            latency.keep_predictors(kept)
        return latency.estimate(genomes) + latency.estimate_on_other("far / away", genomes)


def test_a_run_predicts_alike_when_the_database_has_learnt_more_or_is_gone(db: Path, tmp_path: Path) -> None:
    kept = tmp_path / "run" / "predictors"
    began_with = predicted(db, kept, keeps=True)
    with LatencyStore(db) as store:
        for stored in store.devices():
            store_profiles(store, stored.fingerprint, profiles(12, seed=2))
    afresh = predicted(db, tmp_path / "another" / "predictors")
    assert all(one != other for one, other in zip(began_with, afresh, strict=True))
    assert predicted(db, kept, keeps=True) == began_with
    db.unlink()
    assert predicted(db, kept) == began_with


def test_a_predictor_that_was_damaged_is_not_replaced_unasked(db: Path, tmp_path: Path) -> None:
    kept = tmp_path / "predictors"
    began_with = predicted(db, kept, keeps=True)
    own_path(kept).write_text(own_path(kept).read_text().replace("tree", "three", 1))
    with pytest.raises(UserError, match=r"predictor that the run began with, but .*measured.json is damaged"):
        predicted(db, kept)
    own_path(kept).unlink()
    assert predicted(db, kept) == began_with
    db.unlink()
    with pytest.raises(UserError, match=r"expected a latency database at .* or correct --db"):
        predicted(db, kept)


def test_measurements_take_no_part_in_what_is_kept(db: Path, tmp_path: Path) -> None:
    kept = tmp_path / "predictors"
    genome = random_genomes(1, seed=5)[0]
    with DeviceLatency.open(open_device("cpu"), db, CLASSES, 50.0, kept=kept) as latency:
        before = latency.estimate([genome])
        [found] = [latency.measure(genome)]
        latency.learn([device_latency.MeasuredGenome(genome, found)], [found.latency_ms])
        latency.keep_predictors(kept)
    with DeviceLatency.open(open_device("cpu"), db, CLASSES, 50.0, kept=kept) as again:
        assert again.estimate([genome]) == before
