"""Commands run as `main` runs them, in the tests' own process: what they print, and how they end."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, NamedTuple
from unittest import mock

from cli import output
from cli.main import main

WIDTH = 120
"""Columns of the terminal."""


class Ended(NamedTuple):
    """A command that ran: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object, columns: int = WIDTH) -> Ended:
    """`tvnsearch` with ``arguments``; a process of its own costs seconds of imports, and prints the same."""
    printed, said = StringIO(), StringIO()
    with (
        mock.patch.object(sys, "argv", ["tvnsearch", *map(str, arguments)]),
        mock.patch.dict("os.environ", {"COLUMNS": str(columns)}),
        mock.patch.object(output.out, "_width", columns),
        mock.patch.object(output.err, "_width", columns),
        redirect_stdout(printed),
        redirect_stderr(said),
    ):
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Ended(code if isinstance(code, int) else 0, printed.getvalue(), said.getvalue())


def run_json(*arguments: object) -> Any:
    """What the command prints with ``--json``."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: object) -> str:
    """The one line that it ends with where the mistake is the user's."""
    done = run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr
