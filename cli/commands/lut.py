"""`tvnsearch lut`: the latency lookup table, for any other tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import BackendOption, DbOption, DeviceOption, JsonOption, ThreadsOption

app = typer.Typer(help="The latency lookup table, for any other tool.", no_args_is_help=True)


@app.callback()
def _lut() -> None:
    """The latency lookup table, for any other tool."""


@app.command("export")
def export_lut(
    device: DeviceOption = "cpu",
    file_format: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; by default latency-DEVICE.FORMAT here.")
    ] = None,
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write this device's lookup table: one row for each distinct layer call, milliseconds in the headers."""
    from cli.compose import database_path
    from cli.output import print_json, say
    from latency_db.lut.export import export_table
    from latency_db.lut.table import lookup_table
    from latency_db.store import LatencyStore
    from tvnsearch.devices.device import open_device
    from tvnsearch.devices.meter import Meter

    path = Path(f"latency-{device}.{file_format}") if out is None else out
    with LatencyStore(database_path(db)) as store, Meter(open_device(device, threads, backend)) as meter:
        table = lookup_table(store, meter.digest)
    export_table(table, path, file_format)
    if as_json:
        print_json({"path": str(path), "rows": len(table.rows), "device": table.device})
        return
    say(f"{len(table.rows)} distinct layer calls of the device {table.device} written to {path}")
