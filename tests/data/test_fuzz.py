"""Mutilated videos bring no crash, no hang and no leak."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HANGS_S = 900
"""When a process that should take seconds is given up."""

LEAK_MB, PEAK_MB = 30, 500


def check_survives(folder, count, seed):
    command = [sys.executable, "-m", "tests.data.fuzz_process", str(folder), str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["read"] + told["broken"] == 2 * count
    assert min(told["read"], told["broken"]) > count / 5
    assert told["late_mb"] - told["early_mb"] < LEAK_MB
    assert told["peak_mb"] < PEAK_MB


def test_a_few_mutilated_files(tmp_path):
    check_survives(tmp_path, 200, seed=0)


@pytest.mark.slow
def test_thousands_of_mutilated_files(tmp_path):
    check_survives(tmp_path, 2000, seed=10_000)
