"""The commands as a user runs them: real processes, their output, their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.genome.test_zoo import RELEASED


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_json(*arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_zoo_list_counts_exactly() -> None:
    listed = run_json("zoo", "list")
    assert {row["name"]: (row["params"], row["macs"]) for row in listed} == RELEASED
    assert listed[0]["paper"]["gflops"] == 13.0


def test_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    rows = run_json("sample", "--count", 3, "--seed", 4, "--max-params", "1M", "--out", tmp_path / "a")
    again = run_json("sample", "--count", 3, "--seed", 4, "--max-params", "1M", "--out", tmp_path / "b")
    assert [Path(row["file"]).read_text() for row in rows] == [Path(row["file"]).read_text() for row in again]
    assert all(row["params"] <= 1_000_000 for row in rows)
    shown = run_json("show", rows[0]["file"])
    assert (shown["params"], shown["macs"]) == (rows[0]["params"], rows[0]["macs"])
    assert sum(layer["params"] for layer in shown["layers"]) == shown["params"]


def test_show_draws_a_line_a_block() -> None:
    shown = run("show", "tvn-1").stdout
    assert "block 4" in shown
    assert "block 5" not in shown
    assert "2 frames of 224x224, one in 4" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evolve", "--max-ms", 50, "--max-params", "twelve"], "twelve"),
        (["evolve", "--max-ms", 50, "--device", "tpu", "--data", "nowhere"], "tpu"),
        (["evolve", "--max-ms", 50, "--space", "tiny"], "tiny"),
        (["evolve", "--max-ms", 50, "--data", "nowhere", "--run", "new"], "nowhere"),
        (["predict", "tvn-1", "--db", "nowhere.sqlite"], "tvnsearch profile"),
        (["predict", "tvn-9"], "tvn-9"),
        (["measure", "tvn-1", "--device", "gpu"], "gpu"),
        (["status", "nowhere"], "nowhere"),
        (["resume", "nowhere"], "nowhere"),
        (["classify", "nowhere", "clip.mp4"], "nowhere"),
        (["export", "nowhere", "--out", "model.onnx"], "nowhere"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[object], said: str) -> None:
    assert said in refused(*arguments)


def test_malformed_files_are_refused_by_name(tmp_path: Path) -> None:
    genome = tmp_path / "genome.json"
    genome.write_text('{"input": {"resolution": 64}}')
    assert "frames" in refused("show", genome)
    space = tmp_path / "space.toml"
    space.write_text("kernel = { min = 9, max = 2 }")
    assert "kernel" in refused("sample", "--space", space, "--out", tmp_path / "out")
    database = tmp_path / "latency.sqlite"
    database.write_text("not a database")
    assert str(database) in refused("lut", "export", "--db", database)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("evolve", "--max-ms", 50, "--data", tmp_path / "empty", "--db", database)
