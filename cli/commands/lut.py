"""`tvnsearch lut`: the latency lookup table, for any other tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import (
    BackendOption,
    BatchOption,
    DatabaseOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ThreadsOption,
)
from cli.choices import TableFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tvnsearch.devices.device import Device

app = typer.Typer(help="The latency lookup table, for any other tool.", no_args_is_help=True)

FormatOption = Annotated[TableFormat, typer.Option("--format", help="The format of the file.")]
TableOption = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME|DIGEST",
        help="An imported table, or the digest of a measured device; by default --device as it runs here.",
    ),
]


@app.callback()
def _lut() -> None:
    """The latency lookup table, for any other tool."""


@app.command("export")
def export_lut(
    device: DeviceOption = "cpu",
    file_format: FormatOption = "csv",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The file to write; by default latency-DEVICE here."
        ),
    ] = None,
    table: TableOption = None,
    grid: Annotated[
        Path | None,
        typer.Option(
            "--grid",
            metavar="FILE",
            help="A TOML file of layer calls to have; predicted where never measured.",
        ),
    ] = None,
    frames: Annotated[
        int,
        typer.Option(
            "--in-frames",
            metavar="N",
            min=1,
            help="For once-for-all and nni: write the rows of N frames, as a batch of N.",
        ),
    ] = 1,
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a lookup table to a file.

    One row for each distinct layer call, with its unit where the format has room.
    """
    from msgspec.structs import replace

    from cli.output import print_json, say
    from latency_db.lut.files import export_table, format_named
    from latency_db.lut.formats.base import counted
    from latency_db.lut.grid import read_grid
    from tvnsearch.api.latency_predictors import database_path
    from tvnsearch.api.lookup_tables import complete, find_table

    chosen = format_named(file_format)
    wanted = None if grid is None else read_grid(grid)
    found = find_table(
        database_path(db),
        table,
        _device(table, device, threads, backend, dtype, batch),
        chosen.whole_blocks,
        wanted is not None,
    )
    if wanted is None:
        exported = replace(found.table, rows=(*found.table.rows, *found.blocks))
    else:
        exported = complete(found, wanted, chosen.whole_blocks)
    path = Path(f"latency-{table or device}{chosen.suffix}") if out is None else out
    report = export_table(exported, path, file_format, frames)
    idle = wanted.idle if wanted is not None else {}
    if as_json:
        print_json(
            {
                "path": str(path),
                "rows": len(report.written),
                "device": exported.device,
                "format": chosen.name,
                "origins": counted(row.origin for row in report.written),
                "left_out": report.left_out,
                "idle": idle,
            }
        )
        return
    origins = counted(row.origin for row in report.written)
    say(
        f"{len(report.written)} rows ({_listed(origins)}) of the device {exported.device} written to {path}; "
        f"{chosen.name} holds {chosen.holds}"
    )
    if report.left_out:
        say(f"rows that {chosen.name} cannot express, left out by type: {_listed(report.left_out)}")
    if idle:
        say(f"points of the grid at which nothing is executed: {_listed(idle)}")


@app.command("import")
def import_lut(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The table to read.")],
    file_format: FormatOption = "csv",
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="A name for the table; by default that of the file."),
    ] = None,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a lookup table of another tool.

    So that it can be shown and exported in another format; no predictor learns from it.
    """
    from cli.output import print_json, say
    from latency_db.imported import keep_table
    from latency_db.lut.files import read_table
    from tvnsearch.api.latency_predictors import database_path

    read = read_table(file, file_format)
    kept = file.stem if name is None else name
    keep_table(database_path(db), kept, file_format, read.table)
    if as_json:
        print_json(
            {
                "table": kept,
                "rows": len(read.table.rows),
                "device": read.table.device,
                "format": file_format,
                "left_out": read.left_out,
            }
        )
        return
    say(
        f"{len(read.table.rows)} rows imported as {kept}; "
        f"export them with `tvnsearch lut export --table {kept}`"
    )
    if read.left_out:
        say(f"rows that are no layer calls here, left out: {_listed(read.left_out)}")


@app.command("show")
def show_lut(
    table: TableOption = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Show only this type of layer call.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Show so many rows at most.")
    ] = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a lookup table.

    The rows with the largest share of all measured time come first.
    """
    import msgspec

    from cli.output import print_json, print_table
    from latency_db.lut.files import shares
    from tvnsearch.api.latency_predictors import database_path
    from tvnsearch.api.lookup_tables import find_table
    from tvnsearch.errors import UserError

    shown = find_table(database_path(db), table, _device(table, device, threads, backend, dtype, batch)).table
    ranked = sorted(zip(shares(shown.rows), shown.rows, strict=True), key=lambda pair: -pair[0])
    rows = [(share, row) for share, row in ranked if kind in (None, row.type)]
    if not rows:
        raise UserError(
            f"expected rows of the type {kind}, but the table has only those of "
            f"{', '.join(sorted({row.type for row in shown.rows})) or 'none'}"
        )
    rows = rows[:limit]
    if as_json:
        print_json(
            {
                "device": shown.device,
                "fingerprint": shown.fingerprint,
                "units": shown.units,
                "table_rows": len(shown.rows),
                "rows": [{**msgspec.to_builtins(row), "share_percent": share} for share, row in rows],
            }
        )
        return
    unit = "ms" if shown.batch == "1" else f"ms of {shown.batch} clips"
    print_table(
        f"{len(rows)} of {len(shown.rows)} rows of the device {shown.device}, "
        f"{sum(share for share, _ in rows):.1f} % of its time",
        ["layer call", "frames x height x width x channels", "kernel/stride", "count", unit, "share %"],
        [
            [
                " ".join(filter(None, (row.type, row.mode, row.activation.replace("none", "")))),
                f"{_sizes(row.call.in_shape)} to {_sizes(row.call.out_shape)}",
                f"{row.kernel}/{row.stride}",
                row.count or row.origin,
                f"{row.latency_ms:.4f}",
                f"{share:.1f}",
            ]
            for share, row in rows
        ],
        word_columns=2,
    )


def _sizes(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def _device(
    table: str | None, device: str, threads: int, backend: str, dtype: str, batch: int
) -> Device | None:
    """The device to ask for its digest; a table that is named needs none."""
    from tvnsearch.devices.device import open_device

    return open_device(device, threads, backend, dtype, batch) if table is None else None


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
