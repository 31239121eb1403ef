"""The SQLite file of a run: opened, held by one process, and written in whole transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tvnsearch.errors import UserError
from tvnsearch.files import writing
from tvnsearch.search.journal.lock import lock_run, unlock_run
from tvnsearch.search.journal.schema import connect, naming_journal_errors, write_new_journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.run_folder import journal_path


class JournalFile:
    """A run's file, read by anybody and written by one process; a context manager.

    Made by :meth:`create` (a new run), :meth:`open` (to go on with one) or :meth:`read` (beside a running
    one).
    """

    def __init__(self, run: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.run = run
        self._connection = connection
        self._lock = lock
        with self._naming_errors():
            [text] = connection.execute("SELECT json FROM plan").fetchone()
        try:
            self._begun = msgspec.json.decode(text, type=SearchPlan)
        except msgspec.DecodeError as error:
            connection.close()
            raise UserError(
                f"expected the plan of a search in {run}, but it cannot be read ({error}); go on with the "
                "tvnsearch that wrote it, or begin a new run in another folder"
            ) from None

    @classmethod
    def create(cls, run: Path, plan: SearchPlan) -> Self:
        """Begin a run in the folder ``run``, for this process alone.

        Raises:
            UserError: the folder holds a run already, or it cannot be made, or the plan could not be read
                again.
        """
        _refuse_a_run(run)
        plan_json = _readable(plan)
        try:
            run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"expected to make the folder {run} for the run, but that failed ({error.strerror}); give "
                "another folder"
            ) from None

        def begin() -> None:
            _refuse_a_run(run)  # somebody may have been quicker
            with writing(run):
                (run / "weights").mkdir(exist_ok=True)
            write_new_journal(run, plan_json)

        return cls._alone(run, begin)

    @classmethod
    def open(cls, run: Path) -> Self:
        """Go on with the run in the folder ``run``, for this process alone.

        Raises:
            UserError: there is no run that this version can read, or another process is writing it.
        """
        connect(run, writable=False).close()
        return cls._alone(run)

    @classmethod
    def read(cls, run: Path) -> Self:
        """Look at the run in the folder ``run``, which another process may be writing.

        Raises:
            UserError: there is no run that this version can read.
        """
        return cls(run, connect(run, writable=False), None)

    @classmethod
    def _alone(cls, run: Path, begin: Callable[[], None] = lambda: None) -> Self:
        """The run for this process alone, after it was begun; the lock goes if that fails."""
        lock = lock_run(run)
        try:
            begin()
            return cls(run, connect(run, writable=True), lock)
        except BaseException:
            unlock_run(lock)
            raise

    def close(self) -> None:
        """Let go of the file and, if this process writes it, of the run."""
        self._connection.close()
        if self._lock is not None:
            unlock_run(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write(
        self,
        elapsed_seconds: float,
        statement: str | None = None,
        row: tuple[Any, ...] = (),
        *,
        durable: bool,
    ) -> None:
        """Run a statement and set the clock, both or neither; only what is durable waits for the disk.

        Without a write-ahead log everything waits for it: else a loss of power could damage the file.

        Raises:
            UserError: it cannot be written: the disk is full, say.
        """
        with self._naming_errors():
            [mode] = self._connection.execute("PRAGMA journal_mode").fetchone()
            if not durable and mode == "wal":
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    if statement is not None:
                        self._connection.execute(statement, row)
                    self._connection.execute("UPDATE clock SET seconds = ?", (elapsed_seconds,))
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            finally:
                self._connection.execute("PRAGMA synchronous = EXTRA")

    def _naming_errors(self) -> AbstractContextManager[None]:
        return naming_journal_errors(self.run)


def _readable(plan: SearchPlan) -> str:
    """The plan as it is written, made sure of before anything is: nothing else could read such a run.

    Raises:
        UserError: it cannot be written, or reads as another plan or none.
    """
    try:
        written = msgspec.json.encode(plan)
        if msgspec.json.decode(written, type=SearchPlan) == plan:
            return written.decode()
        reason = "it reads as another one"
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        reason = str(error)
    raise UserError(
        f"expected a plan that can be read again, but this one cannot ({reason}); give numbers that have an "
        "end, and names in UTF-8"
    )


def _refuse_a_run(folder: Path) -> None:
    if journal_path(folder).exists():
        raise UserError(
            f"expected a folder without a run, but {folder} holds one; go on with it by `tvnsearch resume "
            f"{folder}`, or give another folder"
        )
