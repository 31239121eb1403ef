"""Latency databases: what they hold, merged, verified, and less of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import tvnsearch
from tests.api.watches import Heard
from tests.cli.test_db import DIGEST, OTHER_DIGEST, fill
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT
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
