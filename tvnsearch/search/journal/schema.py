"""The SQLite file of a run: its tables, made whole and opened with what they hold made sure of."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.search.run_folder import journal_path

APPLICATION_ID = 0x54564E53
SCHEMA_VERSION = 8

SCHEMA = """
CREATE TABLE plan (json TEXT NOT NULL);
CREATE TABLE clock (seconds REAL NOT NULL);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    number INTEGER,
    seconds REAL NOT NULL,
    json TEXT NOT NULL
);
"""
"""An event has its kind and the individual that it is about (if it is about one) beside its JSON, for people.

``seconds`` and the clock are the run's wall-clock time, over all processes that worked on it.
"""


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
