"""A device learnt by a meter that answers at once, and its predictor trained again."""

from __future__ import annotations

import pytest

import tvnsearch
from latency_db import LatencyStore
from predictors import predictor_path
from predictors.fit import fit_from_store
from predictors.predictor import LatencyPredictor
from tests.api.watches import Heard
from tests.latency_db.fakes import FINGERPRINT, FakeMeter
from tests.predictors.synthetic_device import profiles, store_profiles
from tvnsearch.api import profile as module
from tvnsearch.control_groups import Container
from tvnsearch.devices import Device, container, fingerprint_digest
from tvnsearch.errors import UserError

MINUTES = 0.02
DIGEST = fingerprint_digest(FINGERPRINT)


class InstantMeter(FakeMeter):
    def __init__(self, device, say=None):
        super().__init__()
        self.device = device

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture(autouse=True)
def _instant(monkeypatch):
    monkeypatch.setattr(module, "Meter", InstantMeter)
    monkeypatch.setattr("tvnsearch.api.fit.Meter", InstantMeter)


def test_a_profile_tells_how_it_stands_and_what_it_came_to(tmp_path):
    db, heard, states = tmp_path / "latency.sqlite", Heard(), []
    profiled = tvnsearch.profile(
        minutes=MINUTES, space="digits", db=db, watch=heard.watch, on_progress=states.append
    )
    assert profiled.digest == DIGEST
    assert (profiled.tables, profiled.predictor) == (str(db), str(predictor_path(db, DIGEST)))
    assert (states[-1].rows, states[-1].genomes) == (profiled.rows, profiled.genomes)
    assert profiled.minutes >= MINUTES
    with LatencyStore(db) as store:
        [held] = store.devices()
        assert (held.rows, held.genomes) == (profiled.rows, profiled.genomes)
        assert fit_from_store(store, DIGEST).heldout == profiled.heldout
    assert LatencyPredictor.load(predictor_path(db, DIGEST)).heldout == profiled.heldout
    shares = heard.shares("profile")
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert heard.said[0] == f"{db} holds 0.0 of 0.02 minutes for this device ({DIGEST})"
    assert heard.said[1].startswith("profiling Imaginary 9000, 1 thread(s), eager: whole networks of the")
    again = tvnsearch.profile(minutes=MINUTES, space="digits", db=db)
    assert (again.rows, again.heldout) == (profiled.rows, profiled.heldout)


def test_a_fit_is_of_what_the_tables_hold(tmp_path):
    db = tmp_path / "latency.sqlite"
    with LatencyStore(db) as store:
        store_profiles(store, FINGERPRINT, profiles(30, seed=1))
        other = store_profiles(store, FINGERPRINT | {"processor": "Other"}, profiles(30, seed=2))
        expected = fit_from_store(store, DIGEST, seed=3)
    fitted = tvnsearch.fit(seed=3, db=db)
    assert (fitted.heldout, fitted.adapted_from) == (expected.heldout, None)
    assert LatencyPredictor.load(predictor_path(db, DIGEST)).record == expected.record
    heard = Heard()
    adapted = tvnsearch.fit(seed=3, origin=other, db=db, watch=heard.watch)
    assert adapted.adapted_from in (None, other)
    assert adapted.heldout.mape_percent <= expected.heldout.mape_percent
    assert heard.said == [f"training the latency predictor of the device {other}: there is none yet"]


def test_a_container_too_small_for_the_threads_profiles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "read_container", lambda process: Container(cpu_cores=0.4))
    with pytest.raises(UserError, match=r"CPU quota is 0\.4 of a core"):
        tvnsearch.profile(minutes=MINUTES, space="digits", db=tmp_path / "new.sqlite")
    assert not list(tmp_path.iterdir())


def test_mistakes_are_sentences(tmp_path):
    with pytest.raises(UserError, match="there is none"):
        tvnsearch.fit(db=tmp_path / "none.sqlite")
    with pytest.raises(UserError, match="tpu"):
        tvnsearch.profile("tpu", db=tmp_path / "new.sqlite")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="is this one"):
        tvnsearch.profile(origin=DIGEST, db=tmp_path / "new.sqlite")
    assert module.Meter(Device("cpu")).digest == DIGEST


@pytest.mark.parametrize("wrong", [{"max_ms": float("inf")}, {"minutes": float("nan")}, {"max_ms": 0.0}])
def test_numbers_without_an_end_are_refused_before_anything_is_measured(wrong, tmp_path):
    with pytest.raises(UserError, match="over 0 that have an end"):
        tvnsearch.profile(db=tmp_path / "new.sqlite", **wrong)
    assert not (tmp_path / "new.sqlite").exists()
