"""`tvnsearch db`: what the latency database holds, and its upkeep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import DatabaseOption, JsonOption

if TYPE_CHECKING:
    from latency_db.contents import Holding

UNSOUND, NOT_CONFIRMED = 1, 2
PROBLEMS_SHOWN = 20

app = typer.Typer(help="The latency database: list, merge, pack, verify, remove.", no_args_is_help=True)


@app.command("list")
def list_database(
    db: DatabaseOption = None,
    by_session: Annotated[
        bool, typer.Option("--sessions", help="Show a row for each session, not each device.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the database holds of each device."""
    from cli.output import print_json

    held = tvnsearch.database_contents(db)
    if as_json:
        print_json(held)
        return
    _print_holdings(f"{held.path}, {held.bytes / 1e6:.2f} MB", held.sessions if by_session else held.devices)


@app.command("merge")
def merge_databases(
    others: Annotated[
        list[Path], typer.Argument(metavar="OTHER", help="Latency database files, or packed tables, to add.")
    ],
    into: Annotated[
        Path | None,
        typer.Option("--into", "--db", metavar="FILE", help="The file to add to; by default this user's."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add what other database files hold and this one lacks.

    Killed and started again, it goes on.
    """
    from cli.output import print_json, watching
    from tvnsearch.api.latency_predictors import database_path

    path = database_path(into)
    with watching() as watch:
        merged = tvnsearch.merge_databases(others, path, watch=watch)
    if as_json:
        print_json({"into": str(path), "added": merged})


@app.command("pack")
def pack_database(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it: a file *.jsonl.xz.")
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--digest", metavar="DIGEST", help="The device to pack; without it the only one that is held."
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="NAME", help="What others may do with it, such as CC0-1.0."),
    ] = None,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a device's latencies as one small file, to hand on.

    Its predictor is written beside it. `tvnsearch db merge` takes such a file.
    """
    from cli.output import print_json, say, watching

    with watching() as watch:
        packed = tvnsearch.pack_database(out, digest=device, licence=licence, db=db, watch=watch)
    if as_json:
        print_json(packed)
        return
    header = packed.header
    say(
        f"{packed.table}: {header.genomes} networks, {header.rows} layer rows of {header.digest}, "
        f"{packed.bytes / 1e3:.0f} kB ({packed.bytes / header.rows:.1f} bytes a row); the predictor is in "
        f"{packed.predictor}"
    )


@app.command("verify")
def verify_database(db: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Check whether all that was measured is sound.

    SQLite's integrity, and every record against what its network executes.
    """
    from cli.output import print_json, say, watching
    from tvnsearch.api.latency_predictors import database_path

    path = database_path(db)
    with watching() as watch:
        found = tvnsearch.verify_database(path, watch=watch)
    if as_json:
        print_json(found)
    else:
        for problem in found.problems[:PROBLEMS_SHOWN]:
            say(problem)
        if len(found.problems) > PROBLEMS_SHOWN:
            say(f"and {len(found.problems) - PROBLEMS_SHOWN} more; --json lists all")
        verdict = f"{len(found.problems)} thing(s) wrong" if found.problems else "sound"
        say(
            f"{path}: {verdict}; {found.genomes} networks, {found.rows} layer rows, {found.measurements} "
            f"measurements; the layers of {found.apart} networks add up to a sum more than 25 % off the "
            f"network's own latency"
        )
    if found.problems:
        raise typer.Exit(UNSOUND)


@app.command("remove")
def remove_from_database(
    device: Annotated[
        str | None,
        typer.Option(
            "--digest", metavar="DIGEST", help="The device to remove; `tvnsearch db list` shows digests."
        ),
    ] = None,
    session: Annotated[
        int | None,
        typer.Option(
            "--session",
            metavar="NUMBER",
            help="The session to remove; `tvnsearch db list --sessions` has numbers.",
        ),
    ] = None,
    confirmed: Annotated[bool, typer.Option("--yes", help="Really remove it.")] = False,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a device or a session with all its records.

    Without --yes only shows what would go.
    """
    from cli.output import print_json, say
    from tvnsearch.api.latency_predictors import database_path

    path = database_path(db)
    removal = tvnsearch.remove_from_database(digest=device, session=session, confirmed=confirmed, db=path)
    if as_json:
        print_json(removal)
    else:
        _print_holdings("removed" if confirmed else "would be removed", [removal.holding])
        if confirmed:
            say(f"{path}: {removal.bytes_before / 1e6:.2f} MB before, {removal.bytes / 1e6:.2f} MB now")
    if not confirmed:
        say("tvnsearch: nothing was removed; say --yes to remove it")
        raise typer.Exit(NOT_CONFIRMED)


def _print_holdings(title: str, held: list[Holding]) -> None:
    from cli.output import out, print_table

    by_session = any(one.session is not None for one in held)
    columns = ["networks", "layer rows", "distinct", "measured", "trusted"]
    print_table(
        title,
        ["device", "session" if by_session else "sessions", *columns],
        [
            [
                one.device,
                one.session if by_session else one.sessions,
                one.genomes,
                one.rows,
                one.distinct_calls,
                one.measurements,
                "-" if one.trusted_share is None else f"{100 * one.trusted_share:.0f} %",
            ]
            for one in held
        ],
    )
    for one in held:
        which = one.device if one.session is None else f"{one.device}, session {one.session}"
        days = "" if one.first is None or one.last is None else f"; {one.first[:10]} to {one.last[:10]}"
        line = f"{which}: {one.description}{days}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
