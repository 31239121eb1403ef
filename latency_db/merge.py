"""Merge latency databases: records that a file lacks are copied into it, each once and whole."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from latency_db.packed import is_packed, unpack
from latency_db.records import GenomeRecord, genome_numbers, genome_record, insert_or_ignore, row_id
from latency_db.schema import connect, connect_existing, naming_database_errors, transaction
from latency_db.verify import device_problems, genome_problem
from tvnsearch.errors import UserError


class Added(msgspec.Struct):
    """How many records of a device a file got that it did not have."""

    device: str
    fingerprint: dict[str, str]
    sessions: int = 0
    genomes: int = 0
    rows: int = 0
    measurements: int = 0


class Merged(msgspec.Struct, frozen=True):
    """What a file got from another: records by device, and the names of imported lookup tables."""

    devices: list[Added]
    tables: list[str]


def merge(other: Path, into: Path, on_progress: Callable[[int, int], None]) -> Merged:
    """Copy what the file ``other``, a database or a packed table, holds and ``into`` lacks.

    A genome is one transaction. Records are known by their ``uid``, devices by their digest, so a merge that
    was killed is finished by another, and one more adds nothing. An imported table stays out where its name
    is taken. ``into`` is made where there is none; ``other`` may be written to meanwhile. ``on_progress`` is
    told of genomes done and genomes in all.

    Raises:
        UserError: a file cannot be used, or a record in ``other`` is not sound; those before it are copied.
    """
    if is_packed(other):
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / "latency.sqlite"
            unpack(other, unpacked)
            return merge(unpacked, into, on_progress)
    with (
        closing(connect_existing(other)) as source,
        closing(connect(into)) as target,
        naming_database_errors(other),
    ):
        source.execute("BEGIN")  # one state of the file, whatever is written to it meanwhile
        source.row_factory = sqlite3.Row
        unsound = next(iter(device_problems(source)), None)
        if unsound is not None:
            raise _refusal(other, unsound)
        added = {
            device["digest"]: Added(device["digest"], msgspec.json.decode(device["fingerprint"]))
            for device in source.execute("SELECT * FROM devices ORDER BY id")
        }
        sessions = source.execute(
            "SELECT sessions.*, digest, name, fingerprint "
            "FROM sessions JOIN devices ON device = devices.id ORDER BY sessions.id"
        ).fetchall()
        for session in sessions:
            with naming_database_errors(into), transaction(target):
                _add_session(target, session, added[session["digest"]])
        session_of = {session["id"]: session for session in sessions}
        held = {uid for table in ("genomes", "network_measurements") for uid in _uids(target, table)}
        numbers = genome_numbers(source)
        for done, number in enumerate(numbers, 1):
            record = genome_record(source, number)
            if not held.issuperset([record.uid, *(row["uid"] for row in record.measurements)]):
                problem = genome_problem(record)
                if problem is not None:
                    raise _refusal(other, problem)
                session = session_of[record.session]
                with naming_database_errors(into), transaction(target):
                    _add_genome(target, session, record, added[session["digest"]])
            on_progress(done, len(numbers))
        with naming_database_errors(into), transaction(target):
            tables = _add_tables(source, target)
    return Merged(list(added.values()), tables)


def _refusal(other: Path, problem: str) -> UserError:
    return UserError(
        f"expected sound records in {other}, but {problem}; "
        f"see `tvnsearch db verify --db {other}`, and remove the session or device from it"
    )


def _add_session(target: sqlite3.Connection, session: sqlite3.Row, added: Added) -> int:
    insert_or_ignore(target, "devices", {key: session[key] for key in ("digest", "name", "fingerprint")})
    found = target.execute("SELECT id FROM devices WHERE digest = ?", (session["digest"],)).fetchone()
    columns = ("uid", "started", "space", "seed", "max_ms")
    record = {"device": found[0], **{key: session[key] for key in columns}}
    added.sessions += insert_or_ignore(target, "sessions", record).rowcount
    found = target.execute("SELECT id FROM sessions WHERE uid = ?", (session["uid"],)).fetchone()
    return int(found[0])


def _add_genome(target: sqlite3.Connection, session: sqlite3.Row, genome: GenomeRecord, added: Added) -> None:
    cursor = insert_or_ignore(
        target,
        "genomes",
        {
            "uid": genome.uid,
            "session": _add_session(target, session, added),  # again: somebody may have removed it
            "seed_index": genome.seed_index,
            "genome_id": genome.genome_id,
            "genome": genome.genome,
            "classes": genome.classes,
        },
    )
    if cursor.rowcount:
        number = row_id(cursor)
        added.genomes += 1
        for row in genome.rows:
            added.rows += insert_or_ignore(target, "layer_calls", {**row, "genome": number}).rowcount
    else:
        found = target.execute("SELECT id FROM genomes WHERE uid = ?", (genome.uid,)).fetchone()
        number = int(found[0])
    for row in genome.measurements:
        record = {key: value for key, value in {**row, "genome": number}.items() if key != "id"}
        added.measurements += insert_or_ignore(target, "network_measurements", record).rowcount


def _add_tables(source: sqlite3.Connection, target: sqlite3.Connection) -> list[str]:
    found = source.execute("SELECT name, imported, format, content FROM imported_tables ORDER BY id")
    return [
        table["name"] for table in found if insert_or_ignore(target, "imported_tables", dict(table)).rowcount
    ]


def _uids(connection: sqlite3.Connection, table: str) -> list[str]:
    return [uid for (uid,) in connection.execute(f"SELECT uid FROM {table}")]
