"""The `tvnsearch` command: its subcommands, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from cli.commands import (
    bench,
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
    report,
    resume,
    sample,
    scale,
    show,
    status,
    train,
    zoo,
)
from cli.interrupting import INTERRUPTED_LINE, CommandInterruptedError, interrupted_by_signals
from cli.mistakes import mistake_line
from tvnsearch.errors import UserError
from tvnsearch.workers import WorkerDiedError, WorkerFailedError

NAME = "tvnsearch"
USER_MISTAKE, FAILURE, INTERRUPTED = 2, 1, 130

TO_BEGIN_WITH = """\
Searches for tiny video networks that keep a latency budget on your device.
To begin with:

  tvnsearch profile --minutes 10         learns how fast networks run here
  tvnsearch evolve --max-ms 50 --data my_clips --minutes 600
                                         evolves a network that keeps 50 ms
  tvnsearch lut export --format csv      writes what was learnt, for other tools

tvnsearch --help shows all commands.
"""

app = typer.Typer(
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        sys.stdout.write(f"{NAME} {version(NAME)}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def tvnsearch(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Search for tiny video networks that keep a latency budget on your device."""
    if context.invoked_subcommand is None:
        sys.stdout.write(TO_BEGIN_WITH)


DEVICE, SEARCH, NETWORKS, DATA = "Device", "Search", "Networks", "Data"
"""What commands are about: the panels of the help."""

app.command(rich_help_panel=DEVICE)(doctor.doctor)
app.command(rich_help_panel=DEVICE)(profile.profile)
app.command(rich_help_panel=DEVICE)(fit.fit)
app.command(rich_help_panel=DEVICE)(measure.measure)
app.command(rich_help_panel=DEVICE)(bench.bench)
app.command(rich_help_panel=DEVICE)(predict.predict)
app.add_typer(lut.app, name="lut", rich_help_panel=DEVICE)
app.add_typer(db.app, name="db", rich_help_panel=DEVICE)

app.command(rich_help_panel=SEARCH)(evolve.evolve)
app.command(rich_help_panel=SEARCH)(resume.resume)
app.command(rich_help_panel=SEARCH)(status.status)
app.command(rich_help_panel=SEARCH)(report.report)
app.command(rich_help_panel=SEARCH)(pick.pick)
app.command(rich_help_panel=SEARCH)(finalists.finalists)

app.add_typer(zoo.app, name="zoo", rich_help_panel=NETWORKS)
app.command(rich_help_panel=NETWORKS)(show.show)
app.command(rich_help_panel=NETWORKS)(sample.sample)
app.command(rich_help_panel=NETWORKS)(scale.scale)
app.command(rich_help_panel=NETWORKS)(train.train)
app.command("eval", rich_help_panel=NETWORKS)(evaluate.evaluate)
app.command(rich_help_panel=NETWORKS)(classify.classify)
app.command(rich_help_panel=NETWORKS)(export.export)

app.add_typer(data.app, name="data", rich_help_panel=DATA)


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit code 2, a signal 128 and its number."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files come out in the bytes that they are
    with interrupted_by_signals() as came:
        try:
            _run(came)
        except OSError:
            if not came:
                raise
            sys.exit(_interrupted(came))  # the terminal that would be told is gone


def _run(came: Sequence[int]) -> NoReturn:
    try:
        code = app(prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()  # here a disk that is full can still be told
    except UserError as error:
        _end(f"{error}", USER_MISTAKE)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group of commands alone, which has shown its help
            sys.exit()
        _end(mistake_line(error, _command_of(sys.argv[1:])), USER_MISTAKE)
    except CommandInterruptedError as interrupted:
        _end(f"{interrupted}", _interrupted(came))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (WorkerDiedError, WorkerFailedError) as error:
        _end(f"{error}", FAILURE)
    except BrokenPipeError:  # nobody reads any more, as after `| head`
        _drop_output()
        sys.exit(FAILURE)
    except OSError as error:
        if came:
            raise
        _drop_output()
        _end(
            f"expected to read and write what this command needs, but that failed ({error}); mend that, and "
            "give it again",
            USER_MISTAKE,
        )
    if code == INTERRUPTED:
        _end(INTERRUPTED_LINE, _interrupted(came))
    sys.exit(code)


def _drop_output() -> None:
    """Write nothing more to stdout: what waits cannot be written, and would be tried again at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted(came: Sequence[int]) -> int:
    """The exit code of an interrupted command, by the signal that came if it was not Ctrl-C."""
    return 128 + came[0] if came else INTERRUPTED


def _command_of(arguments: Sequence[str]) -> str:
    """The command that ``arguments`` name, as far as there is one."""
    path, command = NAME, typer.main.get_command(app)
    for word in arguments:
        commands = getattr(command, "commands", {})
        if word not in commands:
            break
        path, command = f"{path} {word}", commands[word]
    return path


def _end(line: str, code: int) -> NoReturn:
    sys.stderr.write(f"{NAME}: {line}\n")
    sys.exit(code)
