"""Remove a device or a session from a latency database."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from latency_db.contents import Contents, Holding
from latency_db.schema import connect_existing, naming_database_errors, transaction
from tvnsearch.errors import UserError


def device_to_remove(held: Contents, digest: str) -> Holding:
    """What a file holds of the device ``digest``.

    Raises:
        UserError: nothing.
    """
    for holding in held.devices:
        if holding.device == digest:
            return holding
    digests = ", ".join(holding.device for holding in held.devices) or "none"
    raise UserError(
        f"expected a device of {held.path}, which holds {digests}, but {digest!r} came; "
        f"see `tvnsearch db list`"
    )


def session_to_remove(held: Contents, number: int) -> Holding:
    """What a file holds of the session ``number``.

    Raises:
        UserError: there is no such session.
    """
    for holding in held.sessions:
        if holding.session == number:
            return holding
    numbers = ", ".join(str(holding.session) for holding in held.sessions) or "none"
    raise UserError(
        f"expected a session of {held.path}, which holds {numbers}, but {number} came; "
        f"see `tvnsearch db list --sessions`"
    )


def remove(path: Path, holding: Holding) -> None:
    """Remove a session, or a device with all its sessions, in one transaction; then shrink the file.

    A device that is left without sessions goes too. Of one that is not, more may be profiled again, even
    if predictions had got no better. A profiler that is at work on what was removed ends.

    Raises:
        UserError: the file cannot be opened, is damaged or is no latency database of this version.
    """
    of_device = "device = (SELECT id FROM devices WHERE digest = ?)"
    if holding.session is None:
        condition, value = of_device, str(holding.device)
    else:
        condition, value = "id = ?", str(holding.session)
    genomes = f"SELECT id FROM genomes WHERE session IN (SELECT id FROM sessions WHERE {condition})"
    with closing(connect_existing(path)) as connection:
        with naming_database_errors(path), transaction(connection):
            connection.execute(f"DELETE FROM network_measurements WHERE genome IN ({genomes})", (value,))
            connection.execute(f"DELETE FROM layer_calls WHERE genome IN ({genomes})", (value,))
            connection.execute(f"DELETE FROM genomes WHERE id IN ({genomes})", (value,))
            connection.execute(f"DELETE FROM sessions WHERE {condition}", (value,))
            connection.execute(
                f"UPDATE sessions SET levelled_off = 0 WHERE {of_device}",
                (holding.device,),
            )
            connection.execute(
                "DELETE FROM devices WHERE digest = ? AND id NOT IN (SELECT device FROM sessions)",
                (holding.device,),
            )
        with suppress(sqlite3.OperationalError):  # busy, or no room for a copy: the file just stays as long
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
