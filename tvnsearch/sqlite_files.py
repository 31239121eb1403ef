"""SQLite files wherever they lie: on a full disk, in a read-only folder, on a share; errors in our words."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from tvnsearch.errors import UserError
from tvnsearch.file_systems import is_shared, lacks_locks

BUSY_SECONDS = 60.0
"""So long a file that another process keeps locked is waited for."""

LOGS = ("-wal", "-journal")
"""What may lie beside a file and is not folded into it yet."""

BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
"""What SQLite calls a file that another process has locked, and one that cannot be locked at all."""

READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
UNCLEAR = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite also calls it where the index of a log cannot be made."""

FULL_BYTES = 2**16
"""With less the index of a write-ahead log does not fit."""

WAL_HEADER = slice(18, 20)
"""Bytes of a file that are 2 where readers have to look for a write-ahead log."""


@contextmanager
def naming_errors(
    what: str,
    path: Path,
    or_else: str,
    damaged: type[UserError] = UserError,
    instead: str | None = None,
) -> Iterator[None]:
    """Say what SQLite runs into with ``what`` at ``path``: locked, read-only, full, damaged.

    ``or_else`` is what can be done about any of these, or ``instead`` where the file is of no use any more.
    What is a mistake of the program is raised as it is.

    Raises:
        UserError: something of that kind; ``damaged`` where the file is.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        reason, advice = _named(error, path)
        code = _code(error)
        is_damaged = code == sqlite3.SQLITE_CORRUPT
        if instead is not None and code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            or_else = instead
        raise (damaged if is_damaged else UserError)(
            f"expected {what} {path}, but {reason}; {advice}, or {or_else}"
        ) from None


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open a file in autocommit, made where there is none; other processes that lock it are waited for.

    Raises:
        sqlite3.Error: the file cannot be opened, or not be locked at all.
    """
    return _waiting(sqlite3.connect(path, timeout=0, isolation_level=None), path)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open an existing file in autocommit, never to be written by this connection.

    Where nothing can be made beside the file, in a read-only folder or on a full disk, or must not be, on a
    share, it is read without; with the log that a killed process left, from a copy in memory.

    Raises:
        sqlite3.Error: the file cannot be read, or is none of SQLite.
        OSError: it cannot be read.
    """
    shared = is_shared(path)
    is_alone = not shared and os.access(path.parent, os.W_OK)
    if not (shared and is_logged_ahead(path)):
        try:
            # opened to be read only, SQLite leaves its log and the log's index behind
            return _reading(_opened(path, "mode=rw" if is_alone else "mode=ro"))
        except sqlite3.OperationalError as error:
            if _code(error) not in (*READ_ONLY, *UNCLEAR, sqlite3.SQLITE_FULL):
                raise
    if any(log.exists() and log.stat().st_size for log in _logs(path)):
        return _reading(_copied(path))
    return _reading(_opened(path, "mode=ro&immutable=1"))


def set_journal_mode(connection: sqlite3.Connection, path: Path) -> None:
    """Write-ahead logging, but not on a share: its index is in memory, which only one machine sees."""
    if not is_shared(path):
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    elif is_logged_ahead(path):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()  # then it needs no shared memory
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        connection.execute("PRAGMA locking_mode = NORMAL").fetchone()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # lets go of the lock


def is_logged_ahead(path: Path) -> bool:
    """Whether a file, if there is one, is in the mode of write-ahead logging."""
    try:
        with path.open("rb") as file:
            return 2 in file.read(WAL_HEADER.stop)[WAL_HEADER]
    except OSError:
        return False


def _named(error: sqlite3.Error, path: Path) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    code, folder = _code(error), path.parent
    if code in (*BUSY, sqlite3.SQLITE_IOERR) and lacks_locks(folder):
        return "its file system has no file locks", "keep it on a local disk, mount the share with locks"
    if code in BUSY:
        return f"another process keeps it locked ({error})", "wait for that process"
    unclear = code in UNCLEAR
    is_read_only = folder.is_dir() and not os.access(folder, os.W_OK)
    if code == sqlite3.SQLITE_FULL or (unclear and not is_read_only and _is_full(folder)):
        return f"the disk is full ({error})", "make room: what was there is kept"
    if code in READ_ONLY or (unclear and is_read_only):
        return f"it is read-only here ({error})", "make the file and its folder writable"
    return _REASONS.get(code, "SQLite reports: {error}").format(error=error), _ADVICE.get(code, "try again")


_REASONS = {
    sqlite3.SQLITE_IOERR: "its disk or share fails ({error})",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened ({error})",
    sqlite3.SQLITE_CORRUPT: "it is damaged ({error})",
    sqlite3.SQLITE_NOTADB: "it is another kind of file ({error})",
}
_ADVICE = {
    sqlite3.SQLITE_IOERR: "see whether that is mounted and whole",
    sqlite3.SQLITE_CANTOPEN: "see whether its folder is there and may be read",
    sqlite3.SQLITE_CORRUPT: "restore a copy",
    sqlite3.SQLITE_NOTADB: "move it away",
}


def _code(error: sqlite3.Error) -> int:
    """The primary code of SQLite."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL_BYTES
    except OSError:
        return False


def _reading(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA query_only = 1")
    return connection


def _opened(path: Path, options: str) -> sqlite3.Connection:
    """A connection that has read the file already, so that what stands against that is known."""
    address = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    return _waiting(sqlite3.connect(address, timeout=0, isolation_level=None, uri=True), path)


def _waiting(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Have a connection read its file, and wait for those who lock it, unless there are no locks at all."""
    read = "SELECT count(*) FROM sqlite_master"
    try:
        try:
            connection.execute(read).fetchone()
        except sqlite3.OperationalError as error:
            if _code(error) not in BUSY or lacks_locks(path.parent):
                raise
        connection.execute(f"PRAGMA busy_timeout = {1000 * BUSY_SECONDS:.0f}")
        connection.execute(read).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _copied(path: Path) -> sqlite3.Connection:
    """The file with its log, as they are now, in memory."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with tempfile.TemporaryDirectory(prefix="tvnsearch-") as folder:
        copy = Path(folder) / path.name
        for part in (path, *(log for log in _logs(path) if log.exists())):
            shutil.copyfile(part, copy.with_name(part.name))
        with closing(sqlite3.connect(copy)) as whole:
            whole.backup(memory)
    return memory


def _logs(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in LOGS]
