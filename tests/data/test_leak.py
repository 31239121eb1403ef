"""Memory stays flat however many clips are decoded and loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LEAK_MB = 20


@pytest.mark.slow
def test_twenty_thousand_clips(tmp_path, clips=20_000, files=700):
    command = [sys.executable, "-m", "tests.data.leak_process", str(tmp_path), str(clips), str(files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for name, told in json.loads(done.stdout).items():
        assert told["clips"] == clips, name
        assert told["late_mb"] - told["early_mb"] < LEAK_MB, name
