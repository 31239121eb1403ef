"""What a latency database holds, by device or by session."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from latency_db.records import CALL_COLUMNS
from latency_db.schema import connect_existing, naming_database_errors
from tvnsearch.errors import UserError


class Holding(msgspec.Struct, frozen=True):
    """What a file holds of one device, or of one session on it.

    ``rows`` are layer calls at their places in genomes, ``distinct_calls`` what is left when equal calls are
    counted once. ``trusted_share`` (0 to 1) is of the network measurements, ``first`` and ``last`` are their
    times in UTC; None where there are none.
    """

    device: str
    fingerprint: dict[str, str]
    session: int | None
    sessions: int
    genomes: int
    rows: int
    distinct_calls: int
    measurements: int
    trusted_share: float | None
    first: str | None
    last: str | None

    @property
    def description(self) -> str:
        """The device for people."""
        return described(self.fingerprint)


class Contents(msgspec.Struct, frozen=True):
    """A file, its size in bytes with what is not folded into it yet, and what it holds."""

    path: str
    bytes: int
    devices: list[Holding]
    sessions: list[Holding]


def contents(path: Path) -> Contents:
    """What the file at ``path`` holds.

    Raises:
        UserError: there is no such file, it is damaged or no latency database of this version.
    """
    with closing(connect_existing(path)) as connection:
        try:
            with naming_database_errors(path):
                return Contents(str(path), file_bytes(path), _by_device(connection), _by_session(connection))
        except msgspec.MsgspecError as error:
            raise UserError(
                f"expected a latency database at {path}, but a device in it has no readable fingerprint "
                f"({error}); see `tvnsearch db verify`"
            ) from None


def file_bytes(path: Path) -> int:
    """The size of a database, its write-ahead log included."""
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)


def described(fingerprint: Mapping[str, str]) -> str:
    """A device for people."""
    return ", ".join(text % fingerprint[key] for key, text in _DESCRIPTION.items() if key in fingerprint)


_DESCRIPTION = {
    "device": "%s",
    "processor": "%s",
    "threads": "%s thread(s)",
    "backend": "%s",
    "torch": "torch %s",
    "precision": "%s",
    "batch": "batch %s",
    "deployment": "deployment %s",
}


def _by_device(connection: sqlite3.Connection) -> list[Holding]:
    return _holdings(connection, "devices.id", "NULL")


def _by_session(connection: sqlite3.Connection) -> list[Holding]:
    held = _holdings(connection, "sessions.id", "sessions.id")
    return [holding for holding in held if holding.session is not None]  # a device may be without sessions


def _holdings(connection: sqlite3.Connection, group: str, session: str) -> list[Holding]:
    of_genome = "FROM network_measurements m WHERE m.genome = genomes.id"
    joined = "devices LEFT JOIN sessions ON device = devices.id LEFT JOIN genomes ON session = sessions.id"
    distinct = dict(
        connection.execute(
            f"SELECT key, count(*) FROM (SELECT DISTINCT {group} AS key, {', '.join(CALL_COLUMNS)} "
            f"FROM {joined} JOIN layer_calls ON layer_calls.genome = genomes.id) GROUP BY key"
        ).fetchall()
    )
    found = connection.execute(
        f"""
        SELECT {group}, digest, fingerprint, {session}, count(DISTINCT sessions.id), count(genomes.id),
            coalesce(sum((SELECT count(*) FROM layer_calls l WHERE l.genome = genomes.id)), 0),
            coalesce(sum((SELECT count(*) {of_genome})), 0), sum((SELECT sum(trusted) {of_genome})),
            min((SELECT min(measured) {of_genome})), max((SELECT max(measured) {of_genome}))
        FROM {joined} GROUP BY {group} ORDER BY {group}
        """
    )
    return [
        Holding(
            device=digest,
            fingerprint=msgspec.json.decode(fingerprint, type=dict[str, str]),
            session=number,
            sessions=sessions,
            genomes=genomes,
            rows=rows,
            distinct_calls=distinct.get(key, 0),
            measurements=measurements,
            trusted_share=trusted / measurements if measurements else None,
            first=first,
            last=last,
        )
        for (
            key,
            digest,
            fingerprint,
            number,
            sessions,
            genomes,
            rows,
            measurements,
            trusted,
            first,
            last,
        ) in found
    ]
