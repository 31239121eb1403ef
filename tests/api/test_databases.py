"""Latency databases: what they hold, merged, verified, and less of them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import tvnsearch
from latency_db import LatencyStore
from predictors.record import predictor_path
from predictors.stored import stored_predictor
from tests.api.watches import Heard
from tests.cli.test_db import DIGEST, OTHER_DIGEST, fill
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT
from tests.predictors.synthetic_device import profiled_here
from tvnsearch.errors import UserError


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    one = fill(tmp_path / "one.sqlite", FINGERPRINT, 0)
    other = fill(tmp_path / "other.sqlite", OTHER_FINGERPRINT, 1)
    heard = Heard()
    added = tvnsearch.merge_databases([one, str(other)], tmp_path / "all.sqlite", watch=heard.watch)
    assert [file.file for file in added] == [str(one), str(other)]
    assert [(device.device, device.genomes) for file in added for device in file.devices] == [
        (DIGEST, 3),
        (OTHER_DIGEST, 3),
    ]
    assert heard.said[0].startswith(f"{one}: 3 networks with ")
    assert "Imaginary 9000" in heard.said[0]
    assert heard.shares("merge other.sqlite")[-1] == 1.0
    return tmp_path / "all.sqlite"


def test_a_merged_file_holds_both_once(merged: Path) -> None:
    [again] = tvnsearch.merge_databases([merged.with_name("one.sqlite")], merged)
    assert [device.genomes for device in again.devices] == [0]
    held = tvnsearch.database_contents(merged).devices
    assert [(device.device, device.genomes) for device in held] == [(DIGEST, 3), (OTHER_DIGEST, 3)]
    assert held[0].description.startswith("cpu, Imaginary 9000, 1 thread(s), eager")


def test_what_is_unsound_is_listed(merged: Path) -> None:
    heard = Heard()
    sound = tvnsearch.verify_database(merged, watch=heard.watch)
    assert (sound.genomes, sound.problems) == (6, [])
    assert heard.progress[-1] == ("verify", 1.0, "6 of 6 networks")
    with closing(sqlite3.connect(merged)) as connection, connection:
        connection.execute("DELETE FROM network_measurements WHERE genome = 2")
    [problem] = tvnsearch.verify_database(merged).problems
    assert "it has no measurement" in problem


def test_only_what_is_confirmed_is_removed(merged: Path) -> None:
    before = tvnsearch.database_contents(merged)
    asked = tvnsearch.remove_from_database(digest=OTHER_DIGEST, db=merged)
    assert (asked.removed, asked.holding) == (False, before.devices[1])
    assert tvnsearch.database_contents(merged) == before
    removed = tvnsearch.remove_from_database(session=1, confirmed=True, db=merged)
    assert removed.removed
    assert removed.holding.device == DIGEST
    assert tvnsearch.database_contents(merged).devices == before.devices[1:]
    for wrong in ({}, {"digest": DIGEST, "session": 1}):
        with pytest.raises(UserError, match="expected either --digest or --session"):
            tvnsearch.remove_from_database(**wrong, db=merged)  # type: ignore[arg-type]


def test_a_device_is_packed_with_its_predictor(tmp_path: Path) -> None:
    db = profiled_here(tmp_path / "latency.sqlite")
    packed = tvnsearch.pack_database(tmp_path / "cpu.jsonl.xz", licence="CC0-1.0", db=db)
    [held] = tvnsearch.database_contents(db).devices
    assert (packed.header.digest, packed.header.genomes) == (held.device, held.genomes)
    assert packed.bytes == Path(packed.table).stat().st_size < db.stat().st_size / 4
    tvnsearch.merge_databases(packed.table, tmp_path / "other.sqlite")
    # the same networks, so that the predictor need not be trained again
    there = predictor_path(tmp_path / "other.sqlite", held.device)
    shutil.copy(packed.predictor, there)
    heard = Heard()
    with LatencyStore(tmp_path / "other.sqlite") as store:
        predictor = stored_predictor(store, held.device, heard.watch.say)
    assert heard.said == []
    assert packed.header.accuracy is not None
    assert packed.header.accuracy["mape_percent"] == predictor.heldout.mape_percent


def test_which_device_is_packed_is_clear(merged: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"expected --digest, .* 2 devices \({DIGEST}, {OTHER_DIGEST}\)"):
        tvnsearch.pack_database(tmp_path / "cpu.jsonl.xz", db=merged)
    with pytest.raises(UserError, match=r"a file that ends in \.jsonl\.xz"):
        tvnsearch.pack_database(tmp_path / "cpu.json", digest=DIGEST, db=merged)
