"""The tables of a latency database, and how a file is opened or refused."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.sqlite_files import (
    BUSY_SECONDS,
    connect_to_read,
    connect_to_write,
    naming_errors,
    set_journal_mode,
)

APPLICATION_ID = 0x54564E4C  # "TVNL"
SCHEMA_VERSION = 6

SCHEMA = """
CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL
);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    device INTEGER NOT NULL REFERENCES devices (id),
    started TEXT NOT NULL,
    space TEXT NOT NULL,
    seed INTEGER NOT NULL,
    max_ms REAL NOT NULL,
    levelled_off INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE genomes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES sessions (id),
    seed_index INTEGER NOT NULL,
    genome_id TEXT NOT NULL,
    genome TEXT NOT NULL,
    classes INTEGER NOT NULL
);
CREATE TABLE layer_calls (
    genome INTEGER NOT NULL REFERENCES genomes (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    in_frames INTEGER NOT NULL,
    in_height INTEGER NOT NULL,
    in_width INTEGER NOT NULL,
    in_channels INTEGER NOT NULL,
    out_frames INTEGER NOT NULL,
    out_height INTEGER NOT NULL,
    out_width INTEGER NOT NULL,
    out_channels INTEGER NOT NULL,
    kernel INTEGER NOT NULL,
    kernel_width INTEGER NOT NULL,
    stride INTEGER NOT NULL,
    kernel_frames INTEGER NOT NULL,
    stride_frames INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    mode TEXT NOT NULL,
    activation TEXT NOT NULL,
    params INTEGER NOT NULL,
    macs INTEGER NOT NULL,
    bytes_moved INTEGER NOT NULL,
    latency_ms REAL NOT NULL,
    spread_ms REAL NOT NULL,
    passes INTEGER NOT NULL,
    part INTEGER NOT NULL,
    PRIMARY KEY (genome, position)
) WITHOUT ROWID;
CREATE TABLE network_measurements (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    genome INTEGER NOT NULL REFERENCES genomes (id),
    measured TEXT NOT NULL,
    seconds REAL NOT NULL,
    latency_ms REAL NOT NULL,
    ci_low_ms REAL,
    ci_high_ms REAL,
    p50_ms REAL NOT NULL,
    p90_ms REAL NOT NULL,
    p99_ms REAL NOT NULL,
    samples INTEGER NOT NULL,
    disturbed INTEGER NOT NULL,
    trusted INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE imported_tables (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    imported TEXT NOT NULL,
    format TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX genomes_of_session ON genomes (session);
CREATE INDEX measurements_of_genome ON network_measurements (genome);
"""
"""Append-only, but for removal by a person. ``part`` is the position of the first call that the runtime
executes as one with this call; the latency of all stands there, the others have 0. ``seconds`` is the
profiling time since the measurement before, learning and failures in between included. A genome's first
measurement comes with its layer calls; later ones tell the noise floor.

A ``uid`` is random and goes along when a record is copied to another file: no file gets a record twice. The
numbers of sessions and genomes are not given out again: a profiler may go on with one that was removed."""


class DamagedError(UserError):
    """The file is a latency database, and broken."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a latency database, made anew where there is none; in autocommit, waiting for other writers.

    Where it, or its folder, is read-only it can be read, and writing says so.

    Raises:
        DamagedError: the file is damaged.
        UserError: the file cannot be opened, is something else, or comes from another release.
    """
    with naming_database_errors(path):
        connection = _opened(path)
        try:
            reads_only = connection.execute("PRAGMA query_only").fetchone()[0]
            if not reads_only:
                _create_if_empty(connection, path)
            _check(connection, path)
            if not reads_only:
                _set_journal_mode(connection, path)
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
    return connection


def naming_database_errors(path: Path) -> AbstractContextManager[None]:
    """Say what SQLite runs into with the latency database at ``path`` as a UserError or a DamagedError."""
    return naming_errors("a latency database at", path, "choose another file with --db", DamagedError)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_there = path.is_file() and path.stat().st_size > 0
        if is_there and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            return connect_to_read(path)
        return connect_to_write(path)
    except OSError as error:
        raise _cannot_be_opened(path, error) from None


def connect_existing(path: Path) -> sqlite3.Connection:
    """Open a latency database as :func:`connect` does, but make none.

    Raises:
        DamagedError: the file is damaged.
        UserError: there is no such file, or it cannot be opened, is something else or of another release.
    """
    try:
        is_there = path.exists()
    except OSError as error:
        raise _cannot_be_opened(path, error) from None
    if not is_there:
        raise UserError(
            f"expected a latency database at {path}, but there is no such file; "
            f"check the name of the file, or run `tvnsearch profile`, which makes one"
        )
    return connect(path)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write everything in the block or nothing, one writer at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _cannot_be_opened(path: Path, error: Exception) -> UserError:
    return UserError(
        f"expected a latency database at {path}, but it cannot be opened ({error}); "
        f"choose another file with --db"
    )


def _create_if_empty(connection: sqlite3.Connection, path: Path) -> None:
    if _is_made(connection):
        return
    try:
        with transaction(connection):  # of several processes that find no file, one makes it
            if not _is_made(connection):
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            _remove_if_empty(path)
        raise


def _remove_if_empty(path: Path) -> None:
    """Leave no file where no database could be made; SQLite refuses to write to one that was moved away."""
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def _is_made(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id != APPLICATION_ID:
        raise UserError(
            f"expected a latency database at {path}, but it is another program's SQLite file; "
            f"choose another file with --db"
        )
    if version > SCHEMA_VERSION:
        raise UserError(
            f"expected a latency database of version {SCHEMA_VERSION} at {path}, "
            f"but it has version {version}; upgrade tvnsearch or choose another file with --db"
        )
    if version < SCHEMA_VERSION:
        raise UserError(
            f"expected a latency database of version {SCHEMA_VERSION} at {path}, "
            f"but an older tvnsearch made it (version {version}); move it away or choose "
            f"another file with --db, and profile again"
        )
    missing = sorted(_columns_of_this_version() - _columns(connection))
    if missing:
        raise UserError(
            f"expected a latency database of version {SCHEMA_VERSION} at {path}, but it has no column "
            f"{'.'.join(missing[0])}; move it away or choose another file with --db, and profile again"
        )
    damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise DamagedError(
            f"expected a whole latency database at {path}, but it is damaged ({damage.splitlines()[0]}); "
            f"restore a copy, or move it away and profile again"
        )


def _columns(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    found = connection.execute(
        "SELECT tables.name, columns.name "
        "FROM sqlite_master tables JOIN pragma_table_info(tables.name) columns WHERE tables.type = 'table'"
    )
    return frozenset(found)


@cache
def _columns_of_this_version() -> frozenset[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        return _columns(connection)


def _set_journal_mode(connection: sqlite3.Connection, path: Path) -> None:
    """Lasting, so mostly done already; SQLite does not always wait for other openers here, so we do."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            set_journal_mode(connection, path)
            break
        except sqlite3.OperationalError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)
