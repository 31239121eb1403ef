"""`tvnsearch lut`: the latency lookup table, for any other tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import (
    BackendOption,
    BatchOption,
    DatabaseOption,
    DbOption,
    DeviceOption,
    JsonOption,
    PrecisionOption,
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
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a lookup table to a file.

    One row for each distinct layer call, with its unit where the format has room.
    """
    from cli.output import print_json, say

    exported = tvnsearch.export_table(
        table,
        device=_device(table, device, threads, backend, precision, batch),
        file_format=file_format,
        out=out,
        grid=grid,
        frames=frames,
        db=db,
        watch=tvnsearch.Watch(say=say),
    )
    if as_json:
        print_json(exported)
        return
    say(
        f"{exported.rows} rows ({_listed(exported.origins)}) of the device {exported.device} written to "
        f"{exported.path}; {exported.format} holds {exported.holds}"
    )
    if exported.left_out:
        say(f"rows that {exported.format} cannot express, left out by type: {_listed(exported.left_out)}")
    if exported.idle:
        say(f"points of the grid at which nothing is executed: {_listed(exported.idle)}")


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

    imported = tvnsearch.import_table(file, file_format=file_format, name=name, db=db)
    if as_json:
        print_json(imported)
        return
    say(
        f"{imported.rows} rows imported as {imported.table}; "
        f"export them with `tvnsearch lut export --table {imported.table}`"
    )
    if imported.left_out:
        say(f"rows that are no layer calls here, left out: {_listed(imported.left_out)}")


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
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a lookup table.

    The rows with the largest share of all measured time come first.
    """
    from cli.output import print_json, print_table

    shown = tvnsearch.show_table(
        table,
        device=_device(table, device, threads, backend, precision, batch),
        kind=kind,
        limit=limit,
        db=db,
    )
    if as_json:
        print_json(shown)
        return
    batch_here = shown.fingerprint.get("batch", "1")
    print_table(
        f"{len(shown.rows)} of {shown.table_rows} rows of the device {shown.device}, "
        f"{sum(row.share_percent for row in shown.rows):.1f} % of its time",
        [
            *("layer call", "frames x height x width x channels", "kernel/stride", "count"),
            "ms" if batch_here == "1" else f"ms of {batch_here} clips",
            "share %",
        ],
        [
            [
                " ".join(filter(None, (row.type, row.mode, row.activation.replace("none", "")))),
                f"{_sizes(row.call.in_shape)} to {_sizes(row.call.out_shape)}",
                f"{row.kernel}/{row.stride}",
                row.count or row.origin,
                f"{row.latency_ms:.4f}",
                f"{row.share_percent:.1f}",
            ]
            for row in shown.rows
        ],
        word_columns=2,
    )


def _sizes(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def _device(
    table: str | None, device: str, threads: int, backend: str, precision: str, batch: int
) -> str | Device:
    """The device to ask for its digest; where a table is named it need not be here."""
    return tvnsearch.open_device(device, threads, backend, precision, batch) if table is None else device


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
