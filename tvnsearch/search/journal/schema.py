"""The SQLite file of a run: its tables, made whole and opened with what they hold made sure of."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.files import sync_folder, writing
from tvnsearch.search.run_folder import journal_path
from tvnsearch.sqlite_files import connect_to_read, connect_to_write, naming_errors, set_journal_mode

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
    """Put a journal that only knows its plan in ``run``: whole, or not at all, also if the process dies.

    Raises:
        UserError: it cannot be written.
    """
    unfinished = journal_path(run).with_suffix(".new")
    with writing(run), naming_journal_errors(run):
        unfinished.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(unfinished, timeout=0)) as connection:  # nobody else has it
                connection.executescript(SCHEMA)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                connection.execute("INSERT INTO plan VALUES (?)", (plan_json,))
                connection.execute("INSERT INTO clock VALUES (0.0)")
                connection.commit()
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        unfinished.replace(journal_path(run))
        sync_folder(run)


def naming_journal_errors(run: Path) -> AbstractContextManager[None]:
    """Say what SQLite runs into with the journal of ``run`` as a UserError."""
    path = journal_path(run)
    return naming_errors(
        "the journal of a run in",
        path,
        "go on in a copy of the folder elsewhere",
        instead="begin a new run in another folder",
    )


def connect(run: Path, writable: bool) -> sqlite3.Connection:
    """Open the journal of ``run``; what is committed stays, also when the machine loses power.

    One that is not ``writable`` is never written by it, nor anything beside it where others may write it.

    Raises:
        UserError: there is none, it cannot be read, or it is not a journal, or one of another version.
    """
    path = journal_path(run)
    if not path.is_file():
        raise UserError(
            f"expected the folder of a run at {run}, but there is no {path.name} in it; give a folder that "
            "`tvnsearch evolve` has made"
        )
    with naming_journal_errors(run):
        connection = _opened(path, writable)
        try:
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application_id == APPLICATION_ID and version == SCHEMA_VERSION:
                if writable:
                    set_journal_mode(connection, path)
                    connection.execute("PRAGMA synchronous = EXTRA")
                return connection
        except BaseException:
            connection.close()
            raise
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


def _opened(path: Path, writable: bool) -> sqlite3.Connection:
    if writable:
        return connect_to_write(path)
    try:
        return connect_to_read(path)
    except OSError as error:
        raise UserError(
            f"expected to read the journal of a run in {path}, but that failed ({error.strerror or error}); "
            "see whether it may be read here"
        ) from None
