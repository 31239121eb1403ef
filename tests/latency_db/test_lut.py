from __future__ import annotations

import csv
import json
from statistics import mean, median

import msgspec
import pandas as pd
import pytest

from latency_db.lut import export_table, lookup_table
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome import trace


def signature(call):
    shapes = (*call.in_shape, *call.out_shape)
    return (call.type, *shapes, call.kernel, call.stride, call.hidden, call.mode, call.activation)


def by_signature(store, digest):
    latencies_ms = {}
    for known in store.profiles(digest):
        for call, latency_ms in zip(
            trace(known.genome, known.classes).calls, known.latencies_ms, strict=True
        ):
            latencies_ms.setdefault(signature(call), []).append(latency_ms)
    return latencies_ms


def test_equal_calls_become_one_row(filled, digest):
    table = lookup_table(filled, digest)
    expected = by_signature(filled, digest)
    assert len(table.rows) == len(expected)
    assert max(row.count for row in table.rows) > 1
    for row in table.rows:
        latencies_ms = expected[msgspec.structs.astuple(row)[:14]]
        assert row.count == len(latencies_ms)
        assert row.latency_ms == pytest.approx(median(latencies_ms))
        assert row.mean_ms == pytest.approx(mean(latencies_ms))
        assert row.spread_ms >= 0


def test_csv_holds_the_table_and_the_device(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    path = tmp_path / "new" / "table.csv"
    export_table(table, path, "csv")
    read = pd.read_csv(path, comment="#", keep_default_na=False)
    assert list(read.itertuples(index=False, name=None)) == [
        msgspec.structs.astuple(row) for row in table.rows
    ]
    first, header = path.read_text().splitlines()[:2]
    assert json.loads(first.removeprefix("# ")) == {"device": digest, "fingerprint": FINGERPRINT}
    assert {"latency_ms", "mean_ms", "spread_ms", "bytes_moved"} <= set(next(csv.reader([header])))


def test_json_holds_the_table_and_the_device(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    export_table(table, tmp_path / "table.json", "json")
    read = json.loads((tmp_path / "table.json").read_text())
    assert read["device"] == digest
    assert read["fingerprint"] == FINGERPRINT
    assert read["rows"] == [msgspec.to_builtins(row) for row in table.rows]


def test_rows_are_sorted_so_that_equal_tables_are_equal_files(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    assert list(table.rows) == sorted(table.rows, key=msgspec.structs.astuple)
    for name in ("once", "twice"):
        export_table(lookup_table(filled, digest), tmp_path / name, "csv")
    assert (tmp_path / "once").read_bytes() == (tmp_path / "twice").read_bytes()


def test_a_file_is_replaced_whole_and_nothing_else_is_left(filled, digest, tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "table.csv").write_text("old")
    export_table(lookup_table(filled, digest), folder / "table.csv", "csv")
    assert [path.name for path in folder.iterdir()] == ["table.csv"]
    assert (folder / "table.csv").read_text().startswith("# {")


def test_bad_requests_are_one_sentence(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    with pytest.raises(UserError, match=r"csv, json.*'xlsx' came"):
        export_table(table, tmp_path / "table", "xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another --out"):
        export_table(table, tmp_path / "file" / "table.csv", "csv")
    with pytest.raises(UserError, match="those of another device"):
        lookup_table(filled, fingerprint_digest(OTHER_FINGERPRINT))
