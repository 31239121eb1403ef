"""The folder of a run: its journal file, its lock, its weights, its winner."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import sqlite3
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from tvnsearch.errors import UserError

APPLICATION_ID = 0x54564E53
SCHEMA_VERSION = 6

SCHEMA = """
CREATE TABLE plan (json TEXT NOT NULL);
CREATE TABLE clock (seconds REAL NOT NULL);
CREATE TABLE finals (
    number INTEGER PRIMARY KEY REFERENCES candidates (number),
    measurement TEXT NOT NULL,
    is_trained INTEGER NOT NULL DEFAULT 0,
    fitness TEXT
);
CREATE TABLE workload (json TEXT);
CREATE TABLE candidates (
    number INTEGER PRIMARY KEY,
    parent INTEGER,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    params INTEGER NOT NULL,
    macs INTEGER NOT NULL,
    estimate TEXT,
    genome_id TEXT,
    genome TEXT,
    measurement TEXT,
    elsewhere TEXT,
    predicted_fitness REAL
);
CREATE INDEX candidates_by_verdict ON candidates (verdict);
CREATE TABLE trainings (
    sequence INTEGER PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE REFERENCES candidates (number),
    fitness TEXT,
    failure TEXT,
    seconds REAL NOT NULL
);
CREATE TABLE points (
    sequence INTEGER PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES candidates (number),
    fitness TEXT NOT NULL,
    seconds REAL NOT NULL,
    kind TEXT NOT NULL,
    trainings INTEGER NOT NULL
);
CREATE INDEX points_by_number ON points (number);
CREATE TABLE controls (
    sequence INTEGER PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE REFERENCES candidates (number),
    fitness REAL,
    next_number INTEGER NOT NULL
);
CREATE TABLE winners (
    sequence INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    measurement TEXT NOT NULL,
    events INTEGER NOT NULL
);
CREATE TABLE lines (sequence INTEGER PRIMARY KEY, seconds REAL NOT NULL, text TEXT NOT NULL);
"""


def journal_path(run: Path) -> Path:
    """The SQLite file that holds a run."""
    return run / "journal.sqlite"


def weights_path(run: Path, number: int) -> Path:
    """The trained weights of an individual; there while it may still win or be a parent."""
    return run / "weights" / f"{number}.safetensors"


def checkpoints_path(run: Path, number: int) -> Path:
    """The folder in which an individual's training leaves where it stands, as long as it may go on."""
    return run / "checkpoints" / str(number)


def finalist_weights_path(run: Path, number: int) -> Path:
    """The weights of an individual after a whole training."""
    return run / "finalists" / f"{number}.safetensors"


def finalist_checkpoints_path(run: Path, number: int) -> Path:
    """The folder in which a whole training of an individual leaves where it stands."""
    return run / "finalists" / "checkpoints" / str(number)


def control_path(run: Path, number: int) -> Path:
    """The folder of a training from scratch of an individual that began with inherited weights."""
    return run / "controls" / str(number)


def winner_folder(run: Path) -> Path:
    """Where the winner's files are handed over."""
    return run / "winner"


def new_withdrawn_folder(run: Path) -> Path:
    """Where files go that were handed over, of a network that is the winner no more; nothing is there yet."""
    folders = (run / f"winner-withdrawn-{number}" for number in count(1))
    return next(folder for folder in folders if not folder.exists())


def keep_weights(run: Path, numbers: Iterable[int]) -> None:
    """Delete the weights of all individuals but those in ``numbers``."""
    kept = {weights_path(run, number) for number in numbers}
    for path in (run / "weights").glob("*.safetensors"):
        if path not in kept:
            path.unlink()


def keep_checkpoints(run: Path, numbers: Iterable[int]) -> None:
    """Delete the checkpoints of all trainings but those of individuals in ``numbers``."""
    kept = {checkpoints_path(run, number) for number in numbers}
    for path in (run / "checkpoints").glob("*"):
        if path not in kept:
            drop_checkpoint(path)


def drop_checkpoint(folder: Path) -> None:
    """Delete the checkpoint in a folder, if there is one: what its training came to is kept."""
    shutil.rmtree(folder, ignore_errors=True)


def lock_run(run: Path) -> int:
    """Take the run for this process alone and return the file descriptor that holds the lock.

    The lock goes with :func:`unlock_run` or with the process, however that ends: who holds it is written in
    the file for others to read, and decides nothing.

    Raises:
        UserError: another process has it.
    """
    descriptor = os.open(run / "journal.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 300, 0).decode(errors="replace") or "another process"
        os.close(descriptor)
        raise UserError(
            f"expected to write the run {run} alone, but {holder} is writing it; wait for it or stop "
            f"it, and watch it meanwhile with `tvnsearch status {run}`"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}".encode(), 0)
    return descriptor


def unlock_run(descriptor: int) -> None:
    """Let go of the run that :func:`lock_run` took."""
    os.ftruncate(descriptor, 0)
    os.close(descriptor)


def write_new_journal(run: Path, plan_json: str) -> None:
    """Put a journal that only knows its plan in ``run``: whole, or not at all if the process dies."""
    unfinished = journal_path(run).with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished)
    try:
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("INSERT INTO plan VALUES (?)", (plan_json,))
        connection.execute("INSERT INTO clock VALUES (0.0)")
        connection.execute("INSERT INTO workload VALUES (NULL)")
        connection.commit()
    finally:
        connection.close()
    unfinished.replace(journal_path(run))


def connect(run: Path, writable: bool) -> sqlite3.Connection:
    """Open the journal of ``run``; what is committed stays, also when the machine loses power.

    Raises:
        UserError: there is none, or it is not a journal, or one of another version.
    """
    path = journal_path(run)
    if not path.is_file():
        raise UserError(
            f"expected the folder of a run at {run}, but there is no {path.name} in it; give a folder that "
            "`tvnsearch evolve` has made"
        )
    connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
    try:
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application_id == APPLICATION_ID and version == SCHEMA_VERSION:
            if writable:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            else:
                connection.execute("PRAGMA query_only = 1")
            return connection
    except sqlite3.DatabaseError:
        application_id = 0
    connection.close()
    if application_id != APPLICATION_ID:
        raise UserError(
            f"expected the journal of a run in {path}, but it is another kind of file; give another folder"
        )
    newer = "upgrade tvnsearch" if version > SCHEMA_VERSION else "go on with the tvnsearch that wrote it"
    raise UserError(
        f"expected a journal of version {SCHEMA_VERSION} in {path}, but it is of version {version}; {newer}, "
        "or begin a new run in another folder"
    )
