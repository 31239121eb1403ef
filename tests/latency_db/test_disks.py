"""Latency databases on disks as users have them: full, read-only, shared by machines, kept locked."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from latency_db import LatencyStore, default_path
from latency_db.contents import contents
from latency_db.imported import imported_table, keep_table
from latency_db.lut.table import LookupTable, lookup_table
from latency_db.merge import merge
from latency_db.verify import verify
from tests.disks import fill, read_only, small_disk, without_locks
from tests.latency_db.fakes import FINGERPRINT, layer_profile
from tvnsearch import file_systems
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.sqlite_files import BUSY_SECONDS

DIGEST = fingerprint_digest(FINGERPRINT)


def add_genome(store: LatencyStore, session: int, index: int) -> None:
    genome = sample_genome(load_space("digits"), random.Random(index))
    store.add_profile(session, index, genome, 10, layer_profile(genome, 10, index), 1.5)


def made(path: Path, genomes: int = 3) -> LookupTable:
    """A database of some genomes at ``path``; its table."""
    with LatencyStore(path) as store:
        session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
        for index in range(genomes):
            add_genome(store, session, index)
        return lookup_table(store, DIGEST)


def nothing(done: int, total: int) -> None:
    """Nobody listens."""


def test_a_disk_that_fills_up_loses_no_genome_that_was_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1024) as disk:
        path, kept = disk / "latency.sqlite", 0
        with (
            LatencyStore(path) as store,
            pytest.raises(
                UserError, match=rf"a latency database at {path}, but the disk is full .*; make ro"
            ),
        ):
            session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
            while True:
                add_genome(store, session, kept)
                kept += 1
        assert kept
        with LatencyStore(path) as store:
            assert len(store.profiles(DIGEST)) == kept


def test_a_table_that_does_not_fit_on_the_disk_is_not_imported(tmp_path: Path) -> None:
    table = made(tmp_path / "large.sqlite", 6)
    with small_disk(tmp_path / "disk", 512) as disk:
        path = disk / "latency.sqlite"
        keep_table(path, "small", "csv", LookupTable("cpu", {}, table.rows[:1]))
        fill(disk)
        with pytest.raises(UserError, match="the disk is full"):
            keep_table(path, "large", "csv", table)
        (disk / "filler").unlink()
        assert len(imported_table(path, "small").rows) == 1
        with pytest.raises(UserError, match="holds those of small"):
            imported_table(path, "large")


def test_a_new_database_on_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256) as disk:
        fill(disk)
        with pytest.raises(UserError, match="but the disk is full"):
            LatencyStore(disk / "latency.sqlite")
        assert [path.name for path in disk.iterdir()] == ["filler"]
        (disk / "filler").unlink()
        LatencyStore(disk / "latency.sqlite").close()


def test_a_read_only_database_can_be_read_and_says_so_when_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    table = made(folder / "latency.sqlite")
    with read_only(folder):
        path = folder / "latency.sqlite"
        with LatencyStore(path) as store:
            assert lookup_table(store, DIGEST) == table
            with pytest.raises(UserError, match="it is read-only here"):
                store.start_session(FINGERPRINT, "{}", 0, 50.0)
        assert contents(path).devices[0].genomes == 3
        assert verify(path, nothing).problems == []
        with pytest.raises(UserError, match="it is read-only here"):
            keep_table(path, "table", "csv", table)
        with pytest.raises(UserError, match="it is read-only here"):
            LatencyStore(folder / "new.sqlite")
        assert merge(path, tmp_path / "other.sqlite", nothing).devices[0].genomes == 3


def test_a_read_only_database_is_read_with_what_its_profiler_has_not_folded_in(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with LatencyStore(folder / "latency.sqlite") as store:
        add_genome(store, store.start_session(FINGERPRINT, "{}", 0, 50.0), 0)
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("latency.sqlite", "latency.sqlite-wal"):
            (copy / name).write_bytes((folder / name).read_bytes())
        for place in (folder, copy):
            with read_only(place), LatencyStore(place / "latency.sqlite") as reader:
                assert len(reader.profiles(DIGEST)) == 1


def test_a_database_on_a_share_has_no_log_that_one_machine_alone_understands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "share"
    made(share / "moved.sqlite")
    (tmp_path / "mounts").write_text(f"server:/export {share} cifs rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "mounts")
    made(share / "new.sqlite")
    with LatencyStore(share / "moved.sqlite") as store:
        assert len(store.profiles(DIGEST)) == 3
    for name in ("new.sqlite", "moved.sqlite"):
        with closing(sqlite3.connect(share / name)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_database_that_another_program_keeps_locked_is_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "latency.sqlite"
    made(path)
    monkeypatch.setattr("tvnsearch.sqlite_files.BUSY_SECONDS", 0.01)
    with LatencyStore(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match=r"another process keeps it locked .*; wait for that process, or"):
            store.start_session(FINGERPRINT, "{}", 0, 50.0)


def test_where_nothing_can_be_locked_that_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "latency.sqlite"
    command = [sys.executable, "-c", "from cli.main import main; main()", "db", "list", "--db", str(path)]
    made(path)
    refused = subprocess.run(
        command,
        env=os.environ | without_locks(tmp_path) | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
        timeout=BUSY_SECONDS / 2,
    )
    assert refused.returncode == 2
    assert f"a latency database at {path}, but its file system has no file locks; keep it" in refused.stderr


def test_without_a_home_a_file_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    with pytest.raises(UserError, match=r"this user has none .*; name a file with --db"):
        default_path()
