"""`tvnsearch lut` as a user runs it: export, import, show, and tables that are complete."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from latency_db import LatencyStore
from latency_db.lut import read_table
from predictors import predictor_path
from predictors.fit import fit_from_store
from tests.cli.running import refused, run, run_json
from tests.latency_db.fakes import FINGERPRINT
from tests.predictors.synthetic_device import call_ms, profiles, store_profiles
from tvnsearch.devices import Meter, fingerprint_digest, open_device

DIGEST = fingerprint_digest(FINGERPRINT)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty networks of a synthetic device, and its predictor."""
    path = tmp_path_factory.mktemp("lut") / "latency.sqlite"
    with LatencyStore(path) as store:
        digest = store_profiles(store, FINGERPRINT, profiles(60, seed=1))
        fit_from_store(store, digest).save(predictor_path(path, digest))
    return path


@pytest.fixture(scope="module")
def shown(database: Path) -> Any:
    return run_json("lut", "show", "--table", DIGEST, "--db", database)


def test_show_puts_the_largest_shares_first(database: Path, shown: Any) -> None:
    assert (shown["device"], shown["fingerprint"]) == (DIGEST, FINGERPRINT)
    shares = [row["share_percent"] for row in shown["rows"]]
    assert len(shares) == shown["table_rows"]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100)
    convolutions = [row for row in shown["rows"] if row["type"] == "temporal_conv"]
    options = ("--table", DIGEST, "--db", database, "--type", "temporal_conv", "--limit", 3)
    assert run_json("lut", "show", *options)["rows"] == convolutions[:3]
    printed = run("lut", "show", *options).stdout
    assert printed.count("temporal_conv") == 3
    assert "share %" in printed


def test_a_table_goes_through_another_tools_format_and_back(
    database: Path, shown: Any, tmp_path: Path
) -> None:
    library = tmp_path / "conv_data.out"
    options = ("--table", DIGEST, "--db", database, "--format", "tinynas", "--out", library)
    told = run_json("lut", "export", *options)
    assert told["origins"] == {"measured": told["rows"]}
    assert told["rows"] + sum(told["left_out"].values()) == shown["table_rows"]
    said = run("lut", "export", *options).stderr
    assert f"{told['left_out']['head']} head" in said
    assert " ms " in said
    imported = run_json("lut", "import", library, "--format", "tinynas", "--name", "lib", "--db", database)
    assert (imported["table"], imported["rows"], imported["left_out"]) == ("lib", told["rows"], {})
    converted = tmp_path / "lib.json"
    run_json("lut", "export", "--table", "lib", "--db", database, "--format", "json", "--out", converted)
    rows = read_table(converted, "json").table.rows
    known = {(row["type"], row["in_height"], row["latency_ms"]) for row in shown["rows"]}
    assert {(row.type, row.in_height, row.latency_ms) for row in rows} <= known
    assert {row.origin for row in rows} == {"imported"}
    assert run_json("lut", "show", "--table", DIGEST, "--db", database) == shown


def test_what_a_foreign_table_has_beyond_ours_is_counted(database: Path, tmp_path: Path) -> None:
    table = tmp_path / "phone.yaml"
    table.write_text(
        "Conv_1-input:7x7x320-output:7x7x1280:\n  count: 9\n  mean: 2.5\n  var: 0.01\n"
        "AvgPool2D-input:7x7x1280-output:1x1x1280:\n  count: 9\n  mean: 0.1\n  var: 0.0\n"
    )
    told = run_json("lut", "import", table, "--format", "once-for-all", "--db", database)
    assert (told["table"], told["rows"], told["left_out"]) == ("phone", 1, {"AvgPool2D": 1})
    assert "1 AvgPool2D" in run("lut", "import", table, "--format", "once-for-all", "--db", database).stderr


GRID = """
[spatial_conv]
in_frames = [1, 2, 4]
in_height = [32, 16, 8]
in_channels = [16, 32, 48]
filters = [16, 32, 64]
kernel = [1, 3]
activation = ["relu"]

[temporal_conv]
in_frames = [1]
in_height = [16]
in_channels = [16]
filters = [16]
kernel = [3]
"""


def test_a_grid_is_complete_with_intervals_and_measured_rows_are_kept(
    database: Path, shown: Any, tmp_path: Path
) -> None:
    pointwise = next(
        row
        for row in shown["rows"]
        if row["type"] == "spatial_conv" and row["kernel"] == 1 and row["in_width"] == row["in_height"]
    )
    keys = {name: [pointwise[name]] for name in ("in_frames", "in_height", "in_channels", "activation")}
    grid, out = tmp_path / "grid.toml", tmp_path / "dense.csv"
    lists = "\n".join(f"{name} = {json.dumps(values)}" for name, values in keys.items())
    grid.write_text(f"[spatial_conv]\n{lists}\nfilters = [{pointwise['out_channels']}, 33]\n")
    options = ("--table", DIGEST, "--db", database, "--grid", grid, "--out", out)
    assert run_json("lut", "export", *options)["origins"] == {"measured": 1, "predicted": 1}
    measured, predicted = sorted(read_table(out, "csv").table.rows, key=lambda row: row.origin)
    assert (measured.latency_ms, measured.count) == (pointwise["latency_ms"], pointwise["count"])
    assert (predicted.out_channels, predicted.count) == (33, 0)
    grid.write_text(GRID)
    told = run_json("lut", "export", *options)
    assert (told["rows"], told["idle"]) == (162, {"temporal_conv": 1})
    rows = [row for row in read_table(out, "csv").table.rows if row.origin == "predicted"]
    assert all(row.low_ms < row.latency_ms < row.high_ms for row in rows)
    held = [row.low_ms <= call_ms(row.call) <= row.high_ms for row in rows]
    assert sum(held) >= 0.9 * len(held)
    with out.open() as lines:
        assert "latency_ms" in next(csv.reader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("[spatial_conv]\nin_frames = [1]\nkernal = [3]", "spatial_conv.kernal"),
        (
            "[conv3d]\nin_frames = [2]\nin_height = [8]\nin_channels = [8]\n"
            "filters = [8]\nkernel = [3]\nkernel_frames = [3]",
            "never saw conv3d",
        ),
    ],
)
def test_a_mistake_in_a_grid_is_one_line(grid: str, said: str, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(grid)
    assert said in refused("lut", "export", "--table", DIGEST, "--db", database, "--grid", path)


def test_malformed_and_unknown_tables_are_one_line(database: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text("{Regular,1,16,7,7,16,1,1,0} 0.123\n{Regular,1,16,7,7,16,1,1} 0.123\n")
    assert "line 2 of table.txt" in refused("lut", "import", table, "--format", "tinynas", "--db", database)
    assert "but got 'xlsx'" in refused("lut", "import", table, "--format", "xlsx", "--db", database)
    assert "nobody" in refused("lut", "show", "--table", "nobody", "--db", database)
    assert "is a folder" in refused("lut", "export", "--table", DIGEST, "--db", database, "--out", ".")
    assert "only those of" in refused("lut", "show", "--table", DIGEST, "--type", "conv3d", "--db", database)
    table.write_text("{Regular,1,16,7,7,16,1,1,0} 0.123\n")
    run_json("lut", "import", table, "--format", "tinynas", "--name", "tiny", "--db", database)
    grid = tmp_path / "grid.toml"
    grid.write_text(GRID)
    assert "was imported" in refused("lut", "export", "--table", "tiny", "--grid", grid, "--db", database)


def test_the_table_of_a_device_that_runs_batches_is_found_by_its_options(tmp_path: Path) -> None:
    database, out = tmp_path / "latency.sqlite", tmp_path / "table.csv"
    with Meter(open_device("cpu", precision="bfloat16", batch=2)) as meter:
        fingerprint = meter.fingerprint
    with LatencyStore(database) as store:
        digest = store_profiles(store, fingerprint, profiles(1, seed=1))
    options = ("--precision", "bfloat16", "--batch", 2, "--db", database)
    assert run_json("lut", "show", *options)["device"] == digest
    assert "ms of 2 clips" in run("lut", "show", *options).stdout
    assert run_json("lut", "export", *options, "--out", out)["device"] == digest
    assert "ms for 2 clips in one pass" in out.read_text()
    assert "another device" in refused("lut", "show", "--db", database)
    said = refused("lut", "export", *options, "--format", "tinynas", "--out", out)
    assert "2 clip(s) in bfloat16" in said
