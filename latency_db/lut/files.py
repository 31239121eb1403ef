"""Lookup tables to and from files of any format: what fits is written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from latency_db.lut.formats import FORMATS, Format, ReadTable
from latency_db.lut.formats.base import counted
from latency_db.lut.table import LookupTable, LutRow
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing


class Export(Struct, frozen=True):
    """The rows that a file got, and how many it could not express, by type of layer."""

    written: tuple[LutRow, ...]
    left_out: dict[str, int]


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        UserError: there is none.
    """
    if name not in FORMATS:
        raise UserError(
            f"expected a table format of {', '.join(FORMATS)}, but {name!r} came; say --format csv"
        )
    return FORMATS[name]


def export_table(table: LookupTable, path: Path, file_format: str, frames: int = 1) -> Export:
    """Write what the format expresses of ``table`` to ``path``.

    A format without a batch gets the rows of ``frames`` frames: they are its batch of images. A file that was
    there is replaced.

    Raises:
        UserError: there is no such format, it expresses no row or not how they ran, or the file cannot
            be written.
    """
    chosen = format_named(file_format)
    if chosen.float32_clips and (table.batch, table.precision) != ("1", "float32"):
        raise UserError(
            f"expected latencies of single clips in float32 for the format {chosen.name}, which cannot say "
            f"otherwise, but the device {table.device} ran {table.batch} clip(s) in {table.precision}; "
            f"say --format csv"
        )
    fitting = [row for row in table.rows if chosen.expresses(row)]
    written = [row for row in fitting if row.in_frames == frames or not chosen.one_batch]
    if not written:
        raise UserError(_nothing_to_write(chosen, fitting, len(table.rows), frames))
    if path.is_dir():
        named = path / f"latency{chosen.suffix}"
        raise UserError(f"expected a file to write, but {path} is a folder; name a file in it, --out {named}")
    content = chosen.write(replace(table, rows=tuple(written)))
    with writing(path, "or choose another --out"):
        write_whole(path, content)
    kept = set(map(id, written))
    return Export(tuple(written), counted(row.type for row in table.rows if id(row) not in kept))


def read_table(path: Path, file_format: str) -> ReadTable:
    """The table in a file of one of the formats; its device is the file's name where the file tells none.

    Raises:
        UserError: there is no such format, or the file cannot be read or is malformed.
    """
    chosen = format_named(file_format)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"expected a lookup table at {path}, but it cannot be read ({error.strerror}); name another file"
        ) from None
    return chosen.read(content, path.name)


def shares(rows: Sequence[LutRow]) -> list[float]:
    """The share of each row in the time of all, in percent: its latency times how often it was measured."""
    times_ms = [row.mean_ms * max(row.count, 1) for row in rows]
    total_ms = sum(times_ms)
    return [100 * time_ms / total_ms if total_ms else 0.0 for time_ms in times_ms]


def _nothing_to_write(chosen: Format, fitting: Sequence[LutRow], rows: int, frames: int) -> str:
    if fitting:
        held = ", ".join(map(str, sorted({row.in_frames for row in fitting})))
        return (
            f"expected rows of {frames} frame(s) for the format {chosen.name}, but the table has those of "
            f"{held}; say --in-frames {min(row.in_frames for row in fitting)}"
        )
    return (
        f"expected rows that the format {chosen.name} can express ({chosen.holds}), "
        f"but none of the table's {rows} is one; say --format csv"
    )
