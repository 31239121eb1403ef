"""Verify a latency database: the file is whole, every record agrees with what its genome executes."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path

import msgspec

from latency_db.records import (
    CALL_COLUMNS,
    MILLISECOND_FIELDS,
    GenomeRecord,
    call_columns,
    genome_numbers,
    genome_record,
)
from latency_db.schema import DamagedError, connect_existing
from tvnsearch.devices.device import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import genome_from_json
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace

APART_PERCENT = 25.0
"""A network whose layers add up to a sum this far from its own latency was timed badly, one way or other."""


class Verification(msgspec.Struct, frozen=True):
    """What was looked through, and ``problems``: a sentence for each thing that is wrong.

    ``apart`` counts genomes whose layer latencies add up to more than 25 % above or below the network's first
    measurement: disturbed timings, not damage.
    """

    genomes: int
    rows: int
    measurements: int
    apart: int
    problems: list[str]


def verify(path: Path, on_progress: Callable[[int, int], None]) -> Verification:
    """Look through the whole file; ``on_progress`` is told of genomes done and genomes in all.

    Raises:
        UserError: there is no such file, or it is no latency database of this version.
    """
    try:
        connection = connect_existing(path)
    except DamagedError as error:
        return Verification(0, 0, 0, 0, [str(error)])
    problems: list[str] = []
    genomes = rows = measurements = apart = 0
    with closing(connection):
        connection.execute("BEGIN")  # what others write meanwhile is not seen by halves
        try:
            problems += _file_problems(connection)
            problems += device_problems(connection)
            numbers = genome_numbers(connection)
            for genomes, number in enumerate(numbers, 1):
                record = genome_record(connection, number)
                problem = genome_problem(record)
                if problem is not None:
                    problems.append(problem)
                else:
                    apart += _is_apart(record)
                rows += len(record.rows)
                measurements += len(record.measurements)
                on_progress(genomes, len(numbers))
        except sqlite3.DatabaseError as error:
            problems.append(f"reading ended after {genomes} genomes: {error}")
    return Verification(genomes, rows, measurements, apart, problems)


def genome_problem(record: GenomeRecord) -> str | None:
    """What is wrong with a genome, its layer rows or its measurements; the first thing found."""
    where = f"genome {record.number} of session {record.session}"
    try:
        genome = genome_from_json(record.genome, where)
        calls = list(trace(genome, record.classes).named_calls())
    except (UserError, TypeError, ValueError) as error:
        return f"{where} cannot be read: {error}"
    problem = next(chain(_row_problems(record.rows, calls), _measurement_problems(record.measurements)), None)
    if record.genome_id != (executed := genome_id(genome)):
        problem = f"it is said to be {record.genome_id}, but what it executes is {executed}"
    return None if problem is None else f"{where}: {problem}"


def device_problems(connection: sqlite3.Connection) -> list[str]:
    """Devices whose fingerprint is unreadable, or that of another digest."""
    found = connection.execute("SELECT digest, fingerprint FROM devices ORDER BY id").fetchall()
    problems = []
    for digest, text in found:
        try:
            actual = fingerprint_digest(msgspec.json.decode(text, type=dict[str, str]))
        except msgspec.MsgspecError as error:
            problems.append(f"the device {digest} has a fingerprint that cannot be read: {error}")
            continue
        if digest != actual:
            problems.append(f"the device {digest} has the fingerprint of another, {actual}")
    return problems


def _row_problems(
    rows: Sequence[Mapping[str, object]], calls: Sequence[tuple[str, LayerCall]]
) -> Iterator[str]:
    if len(calls) != len(rows):
        yield f"it has {len(rows)} layer rows, but executes {len(calls)} layer calls"
        return
    for position, ((name, call), row) in enumerate(zip(calls, rows, strict=True)):
        executed = (position, name, *call_columns(call))
        for column, value in zip(("position", "name", *CALL_COLUMNS), executed, strict=True):
            if row[column] != value:
                yield f"layer {name}: {column} is {row[column]!r}, but it executes {value!r}"
        if row["latency_ms"] != 0 and not _is_latency(row["latency_ms"]):
            yield f"layer {name}: latency_ms is {row['latency_ms']!r}, not a number from 0 up"
        if row["spread_ms"] != 0 and not _is_latency(row["spread_ms"]):
            yield f"layer {name}: spread_ms is {row['spread_ms']!r}, not a number from 0 up"


def _measurement_problems(measurements: Sequence[Mapping[str, object]]) -> Iterator[str]:
    if not measurements:
        yield "it has no measurement of the network"
    for measurement in measurements:
        for field in MILLISECOND_FIELDS:
            if measurement[field] is None and field in ("ci_low_ms", "ci_high_ms"):
                continue  # of fewer than six undisturbed passes there is no interval
            if not _is_latency(measurement[field]):
                yield f"measurement: {field} is {measurement[field]!r}, not a positive number"


def _file_problems(connection: sqlite3.Connection) -> list[str]:
    problems = [
        f"the file is damaged: {line}"
        for (line,) in connection.execute("PRAGMA integrity_check")
        if line != "ok"
    ]
    return problems + [
        f"a row of {table} belongs to a row of {parent} that is not there"
        for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
    ]


def _is_apart(record: GenomeRecord) -> bool:
    layers_ms = sum(float(row["latency_ms"]) for row in record.rows)
    return abs(layers_ms / float(record.measurements[0]["latency_ms"]) - 1) > APART_PERCENT / 100


def _is_latency(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0
