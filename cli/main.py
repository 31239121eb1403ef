"""The `tvnsearch` command: its subcommands, and how it ends."""

from __future__ import annotations

import sys

import typer

from cli.commands import (
    classify,
    data,
    db,
    doctor,
    evaluate,
    evolve,
    export,
    finalists,
    fit,
    lut,
    measure,
    pick,
    predict,
    profile,
    resume,
    sample,
    scale,
    show,
    status,
    train,
    zoo,
)
from tvnsearch.errors import UserError
from tvnsearch.workers import WorkerDiedError, WorkerFailedError

USER_MISTAKE, FAILURE, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    help="Search for tiny video networks that keep a latency budget on your device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    doctor.doctor,
    profile.profile,
    fit.fit,
    predict.predict,
    measure.measure,
    sample.sample,
    show.show,
    scale.scale,
    evolve.evolve,
    resume.resume,
    status.status,
    pick.pick,
    finalists.finalists,
    train.train,
    classify.classify,
    export.export,
):
    app.command()(command)
app.command("eval")(evaluate.evaluate)
app.add_typer(zoo.app, name="zoo")
app.add_typer(lut.app, name="lut")
app.add_typer(db.app, name="db")
app.add_typer(data.app, name="data")


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        _end(f"tvnsearch: {error}", USER_MISTAKE)
    except KeyboardInterrupt:
        _end("tvnsearch: interrupted; what was finished is kept, the same command goes on", INTERRUPTED)
    except (WorkerDiedError, WorkerFailedError) as error:
        _end(f"tvnsearch: {error}", FAILURE)


def _end(line: str, code: int) -> None:
    sys.stderr.write(line + "\n")
    sys.exit(code)
