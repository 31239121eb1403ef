"""Lookup tables from a database to files and back, and completed over a grid."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import tvnsearch
from latency_db import LatencyStore
from latency_db.lut import lookup_table, read_table, shares
from tests.predictors.synthetic_device import call_ms
from tvnsearch.errors import UserError

GRID = """
[spatial_conv]
in_frames = [1, 2]
in_height = [16]
in_channels = [16, 32]
filters = [33]
kernel = [1, 3]
activation = ["relu"]

[temporal_conv]
in_frames = [1]
in_height = [16]
in_channels = [16]
filters = [16]
kernel = [3]
"""


def test_a_table_shows_its_rows_by_their_shares(profiled: Path) -> None:
    with LatencyStore(profiled) as store:
        table = lookup_table(store, store.devices()[0].digest)
    shown = tvnsearch.show_table(db=profiled)
    assert (shown.device, shown.fingerprint, shown.table_rows) == (
        table.device,
        table.fingerprint,
        len(table.rows),
    )
    assert [row.share_percent for row in shown.rows] == sorted(shares(table.rows), reverse=True)
    assert {row.call for row in shown.rows} == {row.call for row in table.rows}
    two = tvnsearch.show_table(table.device, kind="temporal_conv", limit=2, db=profiled)
    assert two.rows == [row for row in shown.rows if row.type == "temporal_conv"][:2]
    with pytest.raises(UserError, match="only those of"):
        tvnsearch.show_table(kind="conv3d", db=profiled)


def test_a_table_goes_out_and_in(profiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exported = tvnsearch.export_table(db=profiled)
    assert (exported.path, exported.format) == ("latency-cpu.csv", "csv")
    assert exported.origins == {"measured": exported.rows}
    rows = read_table(Path(exported.path), "csv").table.rows
    assert len(rows) == exported.rows == tvnsearch.show_table(db=profiled).table_rows
    imported = tvnsearch.import_table(exported.path, name="phone", db=tmp_path / "other.sqlite")
    assert (imported.table, imported.rows, imported.left_out) == ("phone", exported.rows, {})
    shown = tvnsearch.show_table("phone", db=tmp_path / "other.sqlite")
    latencies_ms = {row.call: row.latency_ms for row in rows}
    assert {row.call: row.latency_ms for row in shown.rows} == latencies_ms
    tinynas = tvnsearch.export_table("phone", file_format="tinynas", db=tmp_path / "other.sqlite")
    assert tinynas.rows + sum(tinynas.left_out.values()) == exported.rows
    assert " ms " in f" {tinynas.holds} "


def test_a_grid_is_predicted_where_nothing_was_measured(profiled: Path, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GRID)
    dense = tvnsearch.export_table(
        grid=tmp_path / "grid.toml", file_format="json", out=tmp_path / "dense.json", db=profiled
    )
    assert (dense.rows, dense.origins, dense.idle) == (8, {"predicted": 8}, {"temporal_conv": 1})
    rows = read_table(tmp_path / "dense.json", "json").table.rows
    assert all(row.low_ms <= row.latency_ms <= row.high_ms for row in rows)
    assert all(row.latency_ms == pytest.approx(call_ms(row.call), rel=0.6) for row in rows)


def test_a_table_that_is_named_needs_no_device_here(profiled: Path) -> None:
    [held] = tvnsearch.database_contents(profiled).devices
    named = tvnsearch.show_table(held.device, device="no device at all", limit=1, db=profiled)
    assert msgspec.to_builtins(named)["device"] == held.device
    with pytest.raises(UserError, match="phone"):
        tvnsearch.show_table("phone", db=profiled)
