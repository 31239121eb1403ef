"""A device's latencies as one small file to hand on: compressed lines of JSON, a line a genome.

The first line is the :class:`Header`; then come a line for each session and one for each genome. What a
genome executes is not written: it follows from the genome, and is checked when the file is read.
"""

from __future__ import annotations

import lzma
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from latency_db.reader import LatencyReader
from latency_db.records import (
    LAYER_CALL_PLACES,
    MEASUREMENT_FIELDS,
    GenomeRecord,
    call_columns,
    genome_record,
    insert_or_ignore,
    row_id,
)
from latency_db.schema import connect, connect_existing, naming_database_errors, transaction
from latency_db.verify import genome_problem
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole
from tvnsearch.genome.genome import Genome, genome_from_json
from tvnsearch.genome.trace import trace

FORMAT = "tvnsearch latencies"
VERSION = 1
SUFFIX = ".jsonl.xz"
MAGIC = b"\xfd7zXZ\x00"
MOST_BYTES = 1 << 30
"""No table comes near this unpacked; what does is no table."""

LAYER_DIGITS, SPREAD_DIGITS = 4, 2
"""Significant digits of a layer's milliseconds and of their spread; those of networks are kept in full."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a packed table is of: a device by its fingerprint, and how much and how good it is.

    ``first`` and ``last`` are days of measuring (UTC). ``noise_floor_percent`` is the median by which two
    measurements of a network differ; ``accuracy`` is that of the predictor beside it, on networks that it did
    not learn from.
    """

    format: str = FORMAT
    version: int = VERSION
    digest: str
    fingerprint: dict[str, str]
    made_by: str
    licence: str | None
    first: str
    last: str
    genomes: int
    rows: int
    noise_floor_percent: float | None
    accuracy: dict[str, float] | None


class _Session(msgspec.Struct, frozen=True, array_like=True):
    uid: str
    started: str
    space: str
    seed: int
    max_ms: float


class _Genome(msgspec.Struct, frozen=True, array_like=True):
    """``session`` is the place of its line among those; ``parts`` is None where each call is its own."""

    session: int
    uid: str
    seed_index: int
    genome_id: str
    classes: int
    genome: Genome
    passes: int
    latencies_ms: list[float]
    spreads_ms: list[float]
    parts: list[int] | None
    measurements: list[list[float | int | str | None]]


_MEASUREMENT = ("uid", "measured", "seconds", *MEASUREMENT_FIELDS)


def predictor_beside(table: Path) -> Path:
    """Where the predictor of a packed table lies."""
    return table.with_name(table.name.removesuffix(SUFFIX) + ".predictor.json")


def is_packed(path: Path) -> bool:
    """Whether a file is a packed table, by how it begins."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def pack(
    db: Path,
    digest: str,
    out: Path,
    made_by: str,
    licence: str | None,
    accuracy: dict[str, float] | None,
    on_progress: Callable[[int, int], None],
) -> Header:
    """Write what the database ``db`` holds of the device ``digest`` to the file ``out``.

    Raises:
        UserError: there is no such database or device, a record in it is not sound, or the file cannot be
            written.
    """
    with LatencyReader(db) as reader:
        noise_floor_percent = reader.noise_floor_percent(digest)
        device = reader.device(digest)
    with closing(connect_existing(db)) as connection, naming_database_errors(db):
        connection.execute("BEGIN")
        sessions = connection.execute(
            "SELECT sessions.id, uid, started, space, seed, max_ms FROM sessions JOIN devices "
            "ON device = devices.id WHERE digest = ? ORDER BY sessions.id",
            (digest,),
        ).fetchall()
        places = {session[0]: place for place, session in enumerate(sessions)}
        numbers = [
            number
            for (number,) in connection.execute(
                f"SELECT id FROM genomes WHERE session IN ({', '.join('?' * len(places))}) ORDER BY id",
                list(places),
            )
        ]
        records = []
        for done, number in enumerate(numbers, 1):
            record = genome_record(connection, number)
            problem = genome_problem(record)
            if problem is not None:
                raise UserError(
                    f"expected sound records in {db}, but {problem}; see `tvnsearch db verify --db {db}`, "
                    "and remove the session from it"
                )
            records.append(_line_of(record, places[record.session]))
            on_progress(done, len(numbers))
    days = sorted(str(row[1])[:10] for record in records for row in record.measurements)
    header = Header(
        digest=digest,
        fingerprint=device.fingerprint,
        made_by=made_by,
        licence=licence,
        first=days[0],
        last=days[-1],
        genomes=len(records),
        rows=sum(len(record.latencies_ms) for record in records),
        noise_floor_percent=noise_floor_percent,
        accuracy=accuracy,
    )
    lines = [header, *(_Session(*session[1:]) for session in sessions), *records]
    text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    try:
        write_whole(out, lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    except OSError as error:
        raise UserError(
            f"expected to write the table {out}, but that failed ({error.strerror}); give another --out"
        ) from None
    return header


def read_header(path: Path) -> Header:
    """What a packed table says of itself.

    Raises:
        UserError: the file is no packed table of this version.
    """
    return _header(path, next(_lines(path)))


def unpack(path: Path, into: Path) -> None:
    """Write a packed table as a new latency database, for :func:`latency_db.merge.merge` and predictors.

    Raises:
        UserError: the file is no packed table of this version, or a network in it has not as many layer
            latencies as it executes layer calls.
    """
    lines = _lines(path)
    header = _header(path, next(lines))
    with closing(connect(into)) as connection, naming_database_errors(into), transaction(connection):
        device = row_id(
            insert_or_ignore(
                connection,
                "devices",
                {
                    "digest": header.digest,
                    "name": header.fingerprint.get("device", ""),
                    "fingerprint": msgspec.json.encode(header.fingerprint).decode(),
                },
            )
        )
        sessions: list[int] = []
        for number, line in enumerate(lines, 2):
            try:
                if not line.startswith(b'["'):  # a genome's line begins with the place of its session
                    genome = msgspec.json.decode(line, type=_Genome)
                    _insert(connection, genome, sessions[genome.session])
                    continue
                session = msgspec.json.decode(line, type=_Session)
            except (msgspec.DecodeError, IndexError, UserError, ValueError) as error:
                raise _no_table(path, f"line {number}: {error}") from None
            record = {"device": device, **msgspec.structs.asdict(session)}
            sessions.append(row_id(insert_or_ignore(connection, "sessions", record)))


def _line_of(record: GenomeRecord, session: int) -> _Genome:
    parts = [int(row["part"]) for row in record.rows]
    return _Genome(
        session=session,
        uid=record.uid,
        seed_index=record.seed_index,
        genome_id=record.genome_id,
        classes=record.classes,
        genome=genome_from_json(record.genome),
        passes=int(record.rows[0]["passes"]),
        latencies_ms=[_rounded(row["latency_ms"], LAYER_DIGITS) for row in record.rows],
        spreads_ms=[_rounded(row["spread_ms"], SPREAD_DIGITS) for row in record.rows],
        parts=None if parts == list(range(len(parts))) else parts,
        measurements=[[row[column] for column in _MEASUREMENT] for row in record.measurements],
    )


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _insert(connection: sqlite3.Connection, line: _Genome, session: int) -> None:
    calls = list(trace(line.genome, line.classes).named_calls())
    parts: Sequence[int] = range(len(calls)) if line.parts is None else line.parts
    if not len(calls) == len(line.latencies_ms) == len(line.spreads_ms) == len(parts):
        raise ValueError(f"{len(line.latencies_ms)} layer latencies of {len(calls)} layer calls")
    number = row_id(
        insert_or_ignore(
            connection,
            "genomes",
            {
                "uid": line.uid,
                "session": session,
                "seed_index": line.seed_index,
                "genome_id": line.genome_id,
                "genome": msgspec.json.encode(line.genome).decode(),
                "classes": line.classes,
            },
        )
    )
    times = zip(calls, line.latencies_ms, line.spreads_ms, parts, strict=True)
    connection.executemany(
        f"INSERT INTO layer_calls VALUES ({LAYER_CALL_PLACES})",
        [
            (number, position, name, *call_columns(call), latency_ms, spread_ms, line.passes, part)
            for position, ((name, call), latency_ms, spread_ms, part) in enumerate(times)
        ],
    )
    for values in line.measurements:
        record = dict(zip(_MEASUREMENT, values, strict=True))
        insert_or_ignore(connection, "network_measurements", {"genome": number, **record})


def _header(path: Path, line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.DecodeError as error:
        raise _no_table(path, str(error)) from None
    if header.format != FORMAT:
        raise _no_table(path, f"it is of the format {header.format!r}")
    if header.version != VERSION:
        raise UserError(
            f"expected a packed table of version {VERSION}, but {path} has version {header.version}; "
            f"use the tvnsearch that made it ({header.made_by}), or have it packed again"
        )
    return header


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a packed table, none of them empty; at least one."""
    read = 0
    try:
        with lzma.open(path) as file:
            while line := file.readline(MOST_BYTES):
                read += len(line)
                if read >= MOST_BYTES:
                    raise _no_table(path, "it is too large for one")
                yield line
    except FileNotFoundError:
        raise UserError(f"expected a packed table at {path}, but there is no such file") from None
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise _no_table(path, str(error)) from None
    if not read:
        raise _no_table(path, "it is empty")


def _no_table(path: Path, why: str) -> UserError:
    return UserError(
        f"expected a table that `tvnsearch db pack` wrote, but {path} is none, or damaged ({why}); "
        "get it again, or name a latency database"
    )
