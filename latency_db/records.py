"""How records are written to a latency database, and read from it as they are."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.calls import LayerCall

CALL_COLUMNS = (
    "type",
    *(f"{side}_{axis}" for side in ("in", "out") for axis in ("frames", "height", "width", "channels")),
    "kernel",
    "kernel_width",
    "stride",
    "kernel_frames",
    "stride_frames",
    "hidden",
    "mode",
    "activation",
    "params",
    "macs",
    "bytes_moved",
)
"""What a layer call is: the columns that :func:`call_columns` fills."""

LAYER_CALL_PLACES = ", ".join("?" * (len(("genome", "position", "name", *CALL_COLUMNS)) + 4))
"""Placeholders of a layer row: genome, position, name, the call, latency_ms, spread_ms, passes."""

MEASUREMENT_FIELDS = Measurement.__struct_fields__
MILLISECOND_FIELDS = tuple(field for field in MEASUREMENT_FIELDS if field.endswith("_ms"))


class GenomeRecord(msgspec.Struct, frozen=True):
    """A genome as it lies in a file: ``rows`` and ``measurements`` are its records by column, in order."""

    number: int
    uid: str
    session: int
    seed_index: int
    genome_id: str
    genome: str
    classes: int
    rows: list[dict[str, Any]]
    measurements: list[dict[str, Any]]


def genome_numbers(connection: sqlite3.Connection) -> list[int]:
    """The numbers of all genomes, oldest first."""
    return [number for (number,) in connection.execute("SELECT id FROM genomes ORDER BY id")]


def genome_record(connection: sqlite3.Connection, number: int) -> GenomeRecord:
    """Read a genome with all that belongs to it."""
    uid, session, seed_index, genome_id, genome, classes = connection.execute(
        "SELECT uid, session, seed_index, genome_id, genome, classes FROM genomes WHERE id = ?", (number,)
    ).fetchone()
    return GenomeRecord(
        number=number,
        uid=uid,
        session=session,
        seed_index=seed_index,
        genome_id=genome_id,
        genome=genome,
        classes=classes,
        rows=_by_column(connection, "layer_calls", "position", number),
        measurements=_by_column(connection, "network_measurements", "id", number),
    )


def insert_or_ignore(
    connection: sqlite3.Connection, table: str, record: Mapping[str, object]
) -> sqlite3.Cursor:
    """Insert ``record`` unless it is there; ``rowcount`` of the cursor says whether it was inserted."""
    return connection.execute(
        f"INSERT INTO {table} ({', '.join(record)}) VALUES ({', '.join('?' * len(record))}) "
        f"ON CONFLICT DO NOTHING",
        tuple(record.values()),
    )


def insert_measurement(
    connection: sqlite3.Connection, row: int, measurement: Measurement, seconds: float
) -> None:
    """Keep a measurement of the genome with number ``row``, which took ``seconds`` in all."""
    connection.execute(
        f"INSERT INTO network_measurements (uid, genome, measured, seconds, {', '.join(MEASUREMENT_FIELDS)}) "
        f"VALUES (?, ?, ?, ?, {', '.join('?' * len(MEASUREMENT_FIELDS))})",
        (new_uid(), row, now(), seconds, *msgspec.structs.astuple(measurement)),
    )


def call_columns(call: LayerCall) -> tuple[str | int, ...]:
    """A layer call in the order of :data:`CALL_COLUMNS`."""
    return (
        call.type,
        *call.in_shape,
        *call.out_shape,
        call.kernel,
        call.kernel_width,
        call.stride,
        call.kernel_frames,
        call.stride_frames,
        call.hidden,
        call.mode,
        call.activation,
        call.params,
        call.macs,
        call.bytes_moved,
    )


def new_uid() -> str:
    """The identity of a new record, in whatever file it comes to lie."""
    return uuid.uuid4().hex


def row_id(cursor: sqlite3.Cursor) -> int:
    """The number of the row that was inserted."""
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def now() -> str:
    """The time in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _by_column(connection: sqlite3.Connection, table: str, order: str, number: int) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table} WHERE genome = ? ORDER BY {order}", (number,))
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor]
