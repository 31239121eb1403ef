from __future__ import annotations

import json
import subprocess
import sys

import torch


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
    assert report["fingerprint"]["allocator"] == "pinned"
    assert report["noise_floor_percent"] >= 0
    assert "eager" in report["backends"]
    assert ("cuda-graph" in report["backends"]) == torch.cuda.is_available()
    assert any("tvnsearch profile" in sentence for sentence in report["advice"])
