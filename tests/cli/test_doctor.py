from __future__ import annotations

import json
import subprocess
import sys

import torch

from tests.cli.running import run
from tvnsearch.api import diagnose as module
from tvnsearch.control_groups import Container
from tvnsearch.devices import surroundings
from tvnsearch.devices.core_lock import LockState
from tvnsearch.devices.diagnosis import Noise


def test_doctor_tells_a_program_what_this_machine_is(tmp_path):
    command = [
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        "doctor",
        "--seconds",
        "1",
        "--json",
    ]
    run = subprocess.run(
        [*command, "--db", str(tmp_path / "none.sqlite")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert {"device", "fingerprint", "noise_floor_percent", "backends", "extras", "advice"} <= report.keys()
    assert {"cpu_cores", "throttled", "memory_limit_bytes", "memory_left_bytes"} == report["container"].keys()
    [core] = report["locks"]
    assert core.keys() == {"name", "held", "pid"} and core["name"].startswith("core ")
    assert report["fingerprint"]["allocator"] == "pinned"
    assert report["noise_floor_percent"] >= 0
    assert "eager" in report["backends"]
    assert ("cuda-graph" in report["backends"]) == torch.cuda.is_available()
    assert any("tvnsearch profile" in sentence for sentence in report["advice"])


def test_doctor_tells_people_what_is_shared_with_others(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "measure_noise", lambda *given: Noise(20.0, 0.5, 1.0, 0, 5, 24.0))
    monkeypatch.setattr(
        surroundings, "read_container", lambda: Container(0.4, 7, 4_000_000_000, 1_500_000_000)
    )
    monkeypatch.setattr(surroundings, "lock_state", lambda name: LockState(name, True, 4321))
    told = run("doctor", "--db", tmp_path / "none.sqlite").stdout
    rows = {line.split("  ")[0].strip(): line.split("  ")[-1].strip() for line in told.splitlines()}
    assert rows["CPU quota of this container"] == "0.4 cores"
    assert rows["stopped for its quota so far"] == "7 times"
    assert rows["memory limit of this container"] == "4.0 GB"
    assert rows["left of it"] == "1.5 GB"
    assert [value for what, value in rows.items() if what.startswith("core ")] == ["process 4321 times on it"]
    assert "- this container may use 0.4 of a core (CPU quota), and 1 thread was timed" in told
