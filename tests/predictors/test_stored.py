from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from latency_db import LatencyStore
from latency_db.contents import contents
from latency_db.remove import remove, session_to_remove
from predictors import LatencyPredictor, predictor_path
from predictors import fit as fitting
from predictors.fit import fit_from_store, fit_predictor
from predictors.stored import stored_predictor
from tests.disks import read_only
from tests.predictors.synthetic_device import FINGERPRINT, measured, profiles, store_profiles
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError

DEVICE = dict.fromkeys(("device", "processor", "threads", "backend", "torch"), "here")
DIGEST = fingerprint_digest(DEVICE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "latency.sqlite"
    with LatencyStore(path) as store:
        store_profiles(store, DEVICE, profiles(12, seed=1))
        fit_from_store(store, DIGEST).save(predictor_path(path, DIGEST))
    return path


def opened(path: Path) -> tuple[LatencyPredictor, list[str]]:
    """The predictor of the device, and what was said."""
    said: list[str] = []
    with LatencyStore(path) as store:
        return stored_predictor(store, DIGEST, said.append), said


def test_the_predictor_that_is_kept_of_the_tables_is_taken(path: Path) -> None:
    kept = LatencyPredictor.load(predictor_path(path, DIGEST))
    with LatencyStore(path) as store:
        store.add_repeat(store.unrepeated(DIGEST)[0], measured(1.0), 1.0)  # nothing learns from these
    predictor, said = opened(path)
    assert (predictor.record, said) == (kept.record, [])


def test_more_rows_are_learnt_from_once(path: Path) -> None:
    with LatencyStore(path) as store:
        store_profiles(store, DEVICE, profiles(15, seed=2)[12:])
    predictor, said = opened(path)
    assert predictor.heldout.networks == 15
    assert len(said) == 1
    assert f"{DIGEST}: its tables have changed since" in said[0]
    again, said = opened(path)
    assert (again.record, said) == (predictor.record, [])


def test_rows_that_were_removed_are_forgotten(path: Path) -> None:
    with LatencyStore(path) as store:
        store_profiles(store, DEVICE, profiles(12, seed=2))
    assert opened(path)[0].heldout.networks == 24
    remove(path, session_to_remove(contents(path), 1))
    assert opened(path)[0].heldout.networks == 12


def test_too_few_rows_are_refused_whatever_is_kept(path: Path) -> None:
    with LatencyStore(path) as store:
        store_profiles(store, DEVICE, profiles(3, seed=2))
    remove(path, session_to_remove(contents(path), 1))
    with pytest.raises(UserError, match="there are 3 undisturbed ones"):
        opened(path)


@pytest.mark.parametrize("spoil", ["missing", "damaged", "of another release"])
def test_a_predictor_that_cannot_be_read_is_trained_anew(path: Path, spoil: str) -> None:
    file = predictor_path(path, DIGEST)
    kept = LatencyPredictor.load(file)
    if spoil == "missing":
        file.unlink()
    elif spoil == "damaged":
        file.write_text("{")
    else:
        LatencyPredictor(replace(kept.record, format=0)).save(file)
    predictor, said = opened(path)
    assert predictor.record == kept.record == LatencyPredictor.load(file).record
    assert len(said) == 1


def test_an_adapted_predictor_is_adapted_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = profiles(12, seed=1)
    origin = fit_predictor(known, FINGERPRINT).origin
    fit_predictor(known, DEVICE, origin=origin).save(predictor_path(path, DIGEST))
    asked: list[Any] = []

    def fit(store: LatencyStore, digest: str, seed: int, lent: Any) -> LatencyPredictor:
        asked.append(lent)
        return fit_from_store(store, digest, seed, lent)

    monkeypatch.setattr(fitting, "fit_from_store", fit)
    opened(path)
    assert asked == [origin]


def test_in_a_read_only_folder_the_predictor_is_trained_and_not_kept(path: Path) -> None:
    kept = LatencyPredictor.load(predictor_path(path, DIGEST))
    predictor_path(path, DIGEST).unlink()
    with read_only(path.parent):
        predictor, said = opened(path)
    assert predictor.record == kept.record
    assert said[1:] == [f"that predictor is not kept: {path.parent} is read-only here"]
    assert not predictor_path(path, DIGEST).exists()


def test_a_predictor_that_cannot_be_written_is_a_sentence(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected to write the latency predictor"):
        opened(path)[0].save(tmp_path / "file" / "predictor.json")
