"""Commands on disks that are full or read-only: what they say, how they end, and what is there still."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency_db import LatencyStore
from tests.cli.running import refused, run, run_json
from tests.disks import fill, read_only, small_disk
from tests.latency_db.fakes import FINGERPRINT
from tests.predictors.synthetic_device import profiles, store_profiles
from tests.search.fakes import make_plan
from tvnsearch.devices import fingerprint_digest
from tvnsearch.search import Journal

DIGEST = fingerprint_digest(FINGERPRINT)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of a synthetic device."""
    path = tmp_path_factory.mktemp("device") / "latency.sqlite"
    with LatencyStore(path) as store:
        store_profiles(store, FINGERPRINT, profiles(12, seed=1))
    return path


def files(folder: Path) -> dict[str, int]:
    """The files below a folder, and how long they are."""
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_is_one_sentence_whatever_is_written_to_it(database: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    export = ("lut", "export", "--table", DIGEST, "--db", database, "--format", "csv", "--out")
    assert run(*export, table).returncode == 0
    with small_disk(tmp_path / "disk", 512) as disk:
        keep = ("lut", "import", table, "--db", disk / "latency.sqlite", "--format", "csv", "--name")
        assert run(*keep, "kept").returncode == 0
        assert run(*export, disk / "table.csv").returncode == 0
        fill(disk)
        before = files(disk)
        for words, told in (
            ((*keep, "more"), "the disk is full"),
            ((*export, disk / "table.csv"), "No space left on device"),
            (("sample", "--out", disk / "genomes"), "No space left on device"),
            (("show", "tvn-m-2", "--svg", disk / "drawing.svg"), "No space left on device"),
            (("profile", "--minutes", 1, "--db", disk / "new.sqlite"), "the disk is full"),
        ):
            assert told in refused(*words)
        assert before.items() <= files(disk).items()
        assert not list(disk.rglob("*.part"))
        (disk / "filler").unlink()
        [row, *_] = run_json("lut", "show", "--table", "kept", "--db", disk / "latency.sqlite")["rows"]
        assert row["mean_ms"] > 0


def test_what_is_read_only_can_be_looked_at(database: Path, tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    with read_only(tmp_path / "run") as folder:
        assert run_json("status", folder)["max_ms"] == make_plan().budget.max_ms
        assert f"expected to write {folder}, but that failed (Read-only file system)" in refused(
            "resume", folder
        )
    with read_only(database.parent):
        [device] = run_json("db", "list", "--db", database)["devices"]
        assert (device["device"], device["genomes"]) == (DIGEST, 12)
        options = ("--table", DIGEST, "--db", database, "--format", "csv", "--out", tmp_path / "table.csv")
        assert run("lut", "export", *options).returncode == 0
        said = refused("db", "remove", "--digest", DIGEST, "--yes", "--db", database)
        assert f"expected a latency database at {database}, but it is read-only here" in said
