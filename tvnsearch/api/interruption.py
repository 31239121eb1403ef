"""Ctrl-C in a run: what is kept of it, and how it goes on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.search.journal.writer import Journal


@contextmanager
def told_if_interrupted(run: Path, command: str, options: str = "") -> Iterator[None]:
    """Have a KeyboardInterrupt say what is kept in ``run``, and how ``command`` with ``options`` goes on."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(UserError):
            raise KeyboardInterrupt(_what_is_kept(run, command, options)) from None
        raise


def how_to_go_on(run: Path, command: str = "resume", options: str = "") -> str:
    """The words that go on with a run."""
    return f"`tvnsearch {command} {shlex.quote(str(run))}{options}`"


def _what_is_kept(run: Path, command: str, options: str) -> str:
    with Journal.read(run) as journal:
        history, planned = journal.history(), journal.plan.search.trainings
    finals = len(history.finalists)
    finalists = f", {finals} of them at full length" if finals else ""
    return (
        f"interrupted; {len(history.individuals)} of {planned} networks are trained{finalists}, and "
        f"{len(history.measured)} measured: all of that is kept in {run}, and "
        f"{how_to_go_on(run, command, options)} goes on"
    )
