"""The journal of a run on disks as users have them: full, read-only, shared by machines, without locks."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.disks import fill, read_only, small_disk, without_locks
from tests.search.fakes import make_plan
from tvnsearch import file_systems, sqlite_files
from tvnsearch.api.status import status
from tvnsearch.errors import UserError
from tvnsearch.search import Journal, journal_path
from tvnsearch.search.events import Noted


def mode_of(run: Path) -> str:
    with closing(sqlite3.connect(journal_path(run))) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def noted(run: Path) -> list[str]:
    with Journal.read(run) as journal:
        return [event.text for event in journal.events() if isinstance(event, Noted)]


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that other machines may have mounted too."""
    folder = tmp_path / "share"
    folder.mkdir()
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/export {folder} nfs4 rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", table)
    return folder


@pytest.fixture
def run_of_a_killed_process(tmp_path: Path) -> Path:
    """Its last event is in the log beside the file alone."""
    run = tmp_path / "run"
    with Journal.create(tmp_path / "living", make_plan()) as journal:
        journal.append(Noted("before the kill"), 1.0)
        shutil.copytree(tmp_path / "living", run)
    (run / "journal.sqlite-shm").unlink()
    assert (run / "journal.sqlite-wal").stat().st_size
    return run


def test_a_new_run_on_a_full_disk_is_one_sentence_and_leaves_room_for_the_next_try(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 512) as disk:
        filler = fill(disk)
        with pytest.raises(UserError, match=r"expected .*/disk/run.*(full|No space left).*; make room"):
            Journal.create(disk / "run", make_plan())
        assert not list(disk.rglob("journal.new*"))
        filler.unlink()
        Journal.create(disk / "run", make_plan()).close()
        assert noted(disk / "run") == []


def test_a_disk_that_fills_up_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 512) as disk:
        journal, kept = Journal.create(disk / "run", make_plan()), 0
        filler = fill(disk)
        with journal, pytest.raises(UserError, match=r"the journal of a run in .* the disk is full .*; make"):
            while True:
                journal.append(Noted(f"{kept} {'x' * 3000}"), float(kept))
                kept += 1
        fill(disk)
        assert len(noted(disk / "run")) == kept
        filler.unlink()
        with Journal.open(disk / "run") as journal:
            journal.append(Noted("there is room again"), 99.0)
        assert noted(disk / "run")[-1] == "there is room again"


def test_a_read_only_run_can_be_read_and_is_not_written(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan()) as journal:
        journal.append(Noted("kept"), 1.0)
    with read_only(run):
        assert noted(run) == ["kept"]
        assert status(run).max_ms == make_plan().budget.max_ms
        with pytest.raises(UserError, match=f"expected to write {run}, but that failed .Read-only file sys"):
            Journal.open(run)
        with Journal.read(run) as journal, pytest.raises(UserError, match="it is read-only here"):
            journal.append(Noted("not kept"), 2.0)


def test_a_read_only_run_is_read_with_the_log_that_a_killed_process_left(
    run_of_a_killed_process: Path,
) -> None:
    run = run_of_a_killed_process
    before = {path: path.read_bytes() for path in run.glob("journal*")}
    with read_only(run):
        assert noted(run) == ["before the kill"]
    assert {path: path.read_bytes() for path in run.glob("journal*")} == before


def test_a_run_that_is_written_can_be_read_through_a_read_only_mount(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        journal.append(Noted("first"), 1.0)
        with read_only(tmp_path / "run"):
            assert noted(tmp_path / "run") == ["first"]


def test_a_run_on_a_share_has_no_log_that_one_machine_alone_understands(share: Path, tmp_path: Path) -> None:
    with Journal.create(share / "run", make_plan()) as journal:
        journal.append(Noted("kept"), 1.0)
        journal.tick(2.0)
        assert mode_of(share / "run") == "delete"
        assert noted(share / "run") == ["kept"]
        assert {path.name for path in (share / "run").glob("journal*")} == {"journal.sqlite", "journal.lock"}
    with Journal.create(tmp_path / "local", make_plan()):
        assert mode_of(tmp_path / "local") == "wal"


def test_a_run_that_was_moved_to_a_share_is_read_as_it_is_and_goes_on_without_a_log(
    share: Path, run_of_a_killed_process: Path
) -> None:
    run = share / "run"
    run_of_a_killed_process.rename(run)
    before = {path: path.read_bytes() for path in run.glob("journal*")}
    assert noted(run) == ["before the kill"]
    assert {path: path.read_bytes() for path in run.glob("journal*")} == before
    with Journal.open(run) as journal:
        journal.append(Noted("goes on"), 3.0)
        assert mode_of(run) == "delete"
        assert noted(run) == ["before the kill", "goes on"]
    assert {path.name for path in run.glob("journal*")} == {"journal.sqlite", "journal.lock"}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(number, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        with pytest.raises(UserError, match=r"no file locks \(No locks available\); keep the run on a local"):
            Journal.create(tmp_path / "run", make_plan())
    Journal.create(tmp_path / "run", make_plan()).close()


def test_a_journal_that_cannot_be_locked_is_said_at_once_where_flock_works(tmp_path: Path) -> None:
    run = tmp_path / "run"
    Journal.create(run, make_plan()).close()
    go_on = (
        "import sys; from pathlib import Path; from tvnsearch.search import Journal; "
        "Journal.open(Path(sys.argv[1]))"
    )
    refused = subprocess.run(
        [sys.executable, "-c", go_on, str(run)],
        env=os.environ | without_locks(tmp_path),
        check=False,
        capture_output=True,
        text=True,
        timeout=sqlite_files.BUSY_SECONDS / 2,
    )
    said = refused.stderr.splitlines()[-1]
    assert f"the journal of a run in {journal_path(run)}, but its file system has no file locks; keep" in said


def test_a_journal_that_another_program_keeps_locked_is_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr("tvnsearch.sqlite_files.BUSY_SECONDS", 0.01)
    with Journal.create(run, make_plan()) as journal:
        with closing(sqlite3.connect(journal_path(run), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UserError, match=r"another process keeps it locked .*; wait for that process"):
                journal.append(Noted("not kept"), 1.0)
            monkeypatch.setattr(sqlite_files, "lacks_locks", lambda folder: True)
            with pytest.raises(UserError, match="its file system has no file locks; keep it on a local disk"):
                journal.append(Noted("not kept"), 1.0)
        journal.append(Noted("kept"), 2.0)
    assert noted(run) == ["kept"]


def test_a_damaged_journal_is_said_to_be_damaged(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan()) as journal:
        for number in range(200):
            journal.append(Noted("x" * 500), float(number))
    content = bytearray(journal_path(run).read_bytes())
    content[4096 * 3 : 4096 * 30] = bytes(4096 * 27)
    journal_path(run).write_bytes(content)
    with pytest.raises(
        UserError,
        match=r"journal of a run in .* is damaged .*; restore a copy, or begin a new",
    ):
        noted(run)
