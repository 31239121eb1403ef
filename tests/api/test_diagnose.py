"""What this machine is and what to change, without measuring it for long."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import tvnsearch
from latency_db import LatencyStore
from tests.predictors.synthetic_device import profiles, store_profiles
from tvnsearch.api import diagnose as module
from tvnsearch.control_groups import Container
from tvnsearch.devices import Device, Meter, open_device, surroundings
from tvnsearch.devices.core_lock import LockState, held, lock_names
from tvnsearch.devices.diagnosis import Noise
from tvnsearch.genome import Genome

NOISE = Noise(20.0, 3.5, 0.25, 4, 5, 24.0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The noise is made up; what is told of its measurement."""

    def measured(
        device: Device, genome: Genome, seconds: float, on_progress: Callable[[float], None]
    ) -> Noise:
        assert (device, seconds) == (Device("cpu"), 7.0)
        on_progress(1.0)
        return NOISE

    monkeypatch.setattr(module, "measure_noise", measured)
    return []


def test_noise_and_a_missing_profile_are_told(said: list[tuple[str, float]], tmp_path: Path) -> None:
    db = tmp_path / "none.sqlite"
    watch = tvnsearch.Watch(progress=lambda task, share, note: said.append((task, share)))
    diagnosis = tvnsearch.diagnose(seconds=7.0, db=db, watch=watch)
    assert said == [("measure noise", 0.0), ("measure noise", 1.0)]
    assert (diagnosis.noise, diagnosis.noise_floor_percent) == (NOISE, 3.5)
    assert diagnosis.fingerprint["device"] == "cpu"
    assert diagnosis.extras["onnx"]
    disturbed, differs, *_, missing = diagnosis.advice
    assert disturbed.startswith("25 % of the passes were disturbed")
    assert differs.startswith("one network measured again differs by 3.5 % here")
    assert missing.startswith(f"latencies cannot be predicted yet: expected a latency database at {db}")


def test_a_small_container_is_told_and_who_times_on_the_core(
    said: list[tuple[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Container(0.4, 7, 4_000_000_000, 1_000_000_000)
    monkeypatch.setattr(surroundings, "read_container", lambda: small)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = lock_names(Device("cpu"))
    with held(names):
        diagnosis = tvnsearch.diagnose(seconds=7.0, db=tmp_path / "none.sqlite")
    assert diagnosis.container == small
    assert diagnosis.locks == [LockState(names[0], True, os.getpid())]
    quota, *rest = diagnosis.advice
    assert quota.startswith("this container may use 0.4 of a core (CPU quota), and 1 thread was timed")
    assert not [sentence for sentence in rest if "other work runs on these cores" in sentence]


def test_a_device_that_was_profiled_lacks_nothing(said: list[tuple[str, float]], tmp_path: Path) -> None:
    with Meter(open_device("cpu")) as meter:
        fingerprint = meter.fingerprint
    with LatencyStore(tmp_path / "latency.sqlite") as store:
        digest = store_profiles(store, fingerprint, profiles(1, seed=1))
    diagnosis = tvnsearch.diagnose(seconds=7.0, db=tmp_path / "latency.sqlite")
    assert diagnosis.device == digest
    assert not [sentence for sentence in diagnosis.advice if "predicted" in sentence]


def test_every_extra_of_the_installation_is_looked_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert surroundings.EXTRAS.keys() == project["optional-dependencies"].keys() - {"dev"}
