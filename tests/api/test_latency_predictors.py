from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from latency_db import LatencyStore
from tests.predictors.synthetic_device import profiles, store_profiles
from tvnsearch.api import latency_predictors
from tvnsearch.devices import Device
from tvnsearch.errors import UserError
from tvnsearch.genome.zoo import load_zoo


def test_without_a_database_no_worker_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meter(device: Device) -> None:
        raise AssertionError(f"a worker was started for {device}")

    monkeypatch.setattr(latency_predictors, "Meter", meter)
    with pytest.raises(UserError, match="tvnsearch profile --device cpu"):
        latency_predictors.layer_latencies(load_zoo("tvn-1"), 339, Device("cpu"), tmp_path / "latency.sqlite")


def test_looking_up_latencies_imports_no_torch() -> None:
    code = "import sys, tvnsearch.api.latency_predictors; print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "False"


def test_another_device_lends_what_is_known_of_it(tmp_path: Path) -> None:
    devices = [dict.fromkeys(("device", "processor", "threads", "backend", "torch"), name) for name in "ab"]
    with LatencyStore(tmp_path / "latency.sqlite") as store:
        here, there = (store_profiles(store, device, profiles(12, seed=1)) for device in devices)
        assert latency_predictors.open_origin(store, None, here) is None
        lent = latency_predictors.open_origin(store, there, here)
        assert lent is not None
        assert lent.digest == there
        with pytest.raises(UserError, match="is this one"):
            latency_predictors.open_origin(store, here, here)
        with pytest.raises(UserError, match="0123"):
            latency_predictors.open_origin(store, "0123", here)
