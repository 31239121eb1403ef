"""Lookup tables for other tools: written, read, and looked at."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from latency_db.imported import keep_table
from latency_db.lut.files import export_table as write_table
from latency_db.lut.files import format_named, read_table, shares
from latency_db.lut.formats.base import counted
from latency_db.lut.grid import Grid, read_grid
from latency_db.lut.table import LookupTable, LutRow
from tvnsearch.api.latency_predictors import database_path
from tvnsearch.api.lookup_tables import FoundTable, find_table
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device, as_device
from tvnsearch.errors import UserError

_NO_NAME = re.compile(r"[^\w.-]+")
"""What the name of a file is better without, in the words for a device that is somewhere else."""


class ExportedTable(Struct, frozen=True):
    """The file that a table was written to, and how many of its rows were measured, predicted, imported.

    ``left_out`` counts rows that the format cannot express, ``idle`` points of the grid at which nothing is
    executed, both by type of layer.
    """

    path: str
    rows: int
    device: str
    format: str
    origins: dict[str, int]
    left_out: dict[str, int]
    idle: dict[str, int]

    @property
    def holds(self) -> str:
        """What rows and units the format has, in words."""
        return format_named(self.format).holds


class ImportedTable(Struct, frozen=True):
    """The name that a table is kept by, and how many rows of its file are no layer calls here, by type."""

    table: str
    rows: int
    device: str
    format: str
    left_out: dict[str, int]


class RankedRow(LutRow, frozen=True, kw_only=True):
    """A row, and its share of the time of all rows."""

    share_percent: float


class ShownTable(Struct, frozen=True):
    """Rows of a table that has ``table_rows`` of them, those with the largest shares first."""

    device: str
    fingerprint: dict[str, str]
    units: dict[str, str]
    table_rows: int
    rows: list[RankedRow]


def export_table(
    table: str | None = None,
    *,
    device: str | Device = "cpu",
    file_format: str = "csv",
    out: str | Path | None = None,
    grid: str | Path | None = None,
    frames: int = 1,
    db: str | Path | None = None,
    watch: Watch = SILENT,
) -> ExportedTable:
    """Write a lookup table in ``db``: ``table`` is a digest or an imported name; else that of ``device``.

    With a ``grid``, a TOML file, it has the calls of that, predicted where they were not measured. Formats
    without frames get the rows of so many ``frames``. Without ``out`` it is written here as latency-DEVICE.

    Raises:
        UserError: there is no such table, format or grid, or the file cannot be written.
    """
    chosen = format_named(file_format)
    wanted = None if grid is None else read_grid(Path(grid))
    source = as_device(device) if table is None else table
    found = find_table(database_path(db), source, chosen.whole_blocks, wanted is not None, watch=watch)
    exported = _completed(found, wanted, chosen.whole_blocks)
    name = _NO_NAME.sub("-", source.words) if isinstance(source, Device) else source
    path = Path(f"latency-{name}{chosen.suffix}" if out is None else out)
    report = write_table(exported, path, file_format, frames)
    return ExportedTable(
        path=str(path),
        rows=len(report.written),
        device=exported.device,
        format=chosen.name,
        origins=counted(row.origin for row in report.written),
        left_out=report.left_out,
        idle={} if wanted is None else wanted.idle,
    )


def _completed(found: FoundTable, grid: Grid | None, whole_blocks: bool) -> LookupTable:
    if grid is None:
        return replace(found.table, rows=(*found.table.rows, *found.blocks))
    from tvnsearch.api.dense_tables import complete

    return complete(found, grid, whole_blocks)


def import_table(
    file: str | Path, *, file_format: str = "csv", name: str | None = None, db: str | Path | None = None
) -> ImportedTable:
    """Keep the table in ``file`` in ``db``, by ``name`` or the file's own, to be shown and exported again.

    Raises:
        UserError: there is no such file or format, or the name is a measured device's.
    """
    file = Path(file)
    read = read_table(file, file_format)
    kept = file.stem if name is None else name
    keep_table(database_path(db), kept, file_format, read.table)
    return ImportedTable(kept, len(read.table.rows), read.table.device, file_format, read.left_out)


def show_table(
    table: str | None = None,
    *,
    device: str | Device = "cpu",
    kind: str | None = None,
    limit: int | None = None,
    db: str | Path | None = None,
) -> ShownTable:
    """A lookup table in ``db``, chosen as by :func:`export_table`; only ``limit`` rows, of type ``kind``.

    Raises:
        UserError: there is no such table, or it has no such row.
    """
    shown = find_table(database_path(db), as_device(device) if table is None else table).table
    ranked = sorted(zip(shares(shown.rows), shown.rows, strict=True), key=lambda pair: -pair[0])
    rows = [
        RankedRow(**asdict(row), share_percent=share) for share, row in ranked if kind in (None, row.type)
    ]
    if not rows:
        raise UserError(
            f"expected rows of the type {kind}, but the table has only those of "
            f"{', '.join(sorted({row.type for row in shown.rows})) or 'none'}"
        )
    return ShownTable(shown.device, shown.fingerprint, shown.units, len(shown.rows), rows[:limit])
