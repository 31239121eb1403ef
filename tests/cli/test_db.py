"""`tvnsearch db` as a user runs it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from latency_db import LatencyStore
from tests.cli.running import refused, run, run_json
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT, layer_profile
from tvnsearch.devices import fingerprint_digest
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space

DIGEST, OTHER_DIGEST = fingerprint_digest(FINGERPRINT), fingerprint_digest(OTHER_FINGERPRINT)


def fill(path: Path, fingerprint: dict[str, str], seed: int) -> Path:
    rng = random.Random(seed)
    with LatencyStore(path) as store:
        session = store.start_session(fingerprint, "{}", seed, 50.0)
        for index in range(3):
            genome = sample_genome(load_space("digits"), rng)
            store.add_profile(session, index, genome, 10, layer_profile(genome, 10, index), 1.5)
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return fill(tmp_path / "latency.sqlite", FINGERPRINT, 0)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return fill(tmp_path / "other.sqlite", OTHER_FINGERPRINT, 1)


def test_list_has_a_row_a_device(database: Path) -> None:
    held = run_json("db", "list", "--db", database)
    (device,) = held["devices"]
    assert (device["device"], device["sessions"], device["genomes"]) == (DIGEST, 1, 3)
    assert device["trusted_share"] == 1.0
    assert held["bytes"] == database.stat().st_size
    shown = run("db", "list", "--db", database).stdout
    assert DIGEST in shown
    assert "Imaginary 9000, 1 thread(s), eager, torch 2.13.0" in shown
    assert f"{DIGEST}, session 1: cpu" in run("db", "list", "--sessions", "--db", database).stdout


def test_merge_says_what_it_added_and_adds_it_once(database: Path, other: Path, tmp_path: Path) -> None:
    into = tmp_path / "all.sqlite"
    merged = run_json("db", "merge", database, other, "--into", into)
    assert [
        (Path(one["file"]), device["device"], device["genomes"])
        for one in merged["added"]
        for device in one["devices"]
    ] == [(database, DIGEST, 3), (other, OTHER_DIGEST, 3)]
    done = run("db", "merge", other, "--db", into)
    assert done.returncode == 0
    assert f"0 networks with 0 layer rows and 0 measurements added of {OTHER_DIGEST}" in done.stderr
    assert [device["genomes"] for device in run_json("db", "list", "--db", into)["devices"]] == [3, 3]


def test_verify_ends_with_1_and_says_what_is_wrong(database: Path) -> None:
    sound = run_json("db", "verify", "--db", database)
    assert (sound["genomes"], sound["measurements"], sound["apart"], sound["problems"]) == (3, 3, 0, [])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM network_measurements WHERE genome = 2")
    done = run("db", "verify", "--db", database)
    assert done.returncode == 1
    assert "genome 2 of session 1: it has no measurement" in done.stderr
    assert "1 thing(s) wrong" in done.stderr
    assert run("db", "verify", "--db", database, "--json").returncode == 1


def test_remove_asks_for_yes(database: Path, other: Path) -> None:
    run_json("db", "merge", other, "--into", database)
    before = run_json("db", "list", "--db", database)
    asked = run("db", "remove", "--digest", OTHER_DIGEST, "--db", database)
    assert asked.returncode == 2
    assert "would be removed" in asked.stdout
    assert OTHER_DIGEST in asked.stdout
    assert "--yes" in asked.stderr
    assert run_json("db", "list", "--db", database) == before
    removed = run_json("db", "remove", "--digest", OTHER_DIGEST, "--db", database, "--yes")
    assert removed["removed"] is True
    assert removed["holding"] == before["devices"][1]
    assert removed["bytes"] < removed["bytes_before"]
    assert run_json("db", "list", "--db", database)["devices"] == before["devices"][:1]
    assert run_json("db", "remove", "--session", 1, "--db", database, "--yes")["removed"] is True
    assert run_json("db", "list", "--db", database)["devices"] == []


def test_a_mistake_is_one_line_and_exit_code_2(database: Path, tmp_path: Path) -> None:
    assert "either --digest or --session" in refused("db", "remove", "--db", database)
    assert DIGEST in refused("db", "remove", "--digest", "abc", "--yes", "--db", database)
    assert "no such file" in refused("db", "list", "--db", tmp_path / "nowhere.sqlite")
    assert not (tmp_path / "nowhere.sqlite").exists()
    assert "no such file" in refused("db", "merge", tmp_path / "nowhere.sqlite", "--into", database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "upgrade tvnsearch" in refused("db", "verify", "--db", database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert "older tvnsearch" in refused("db", "merge", database, "--into", tmp_path / "new.sqlite")
    text = tmp_path / "text.sqlite"
    text.write_text("layer,latency_ms\n" * 100)
    assert "not a database" in refused("db", "verify", "--db", text)
