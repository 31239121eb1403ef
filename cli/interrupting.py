"""Ctrl-C in a command that can say more of it than that it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED_LINE = "interrupted; what was finished is kept, the same command goes on"


class CommandInterruptedError(Exception):
    """A command was interrupted; its text is what is said of that."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Keep what a KeyboardInterrupt says, which the parser of the command line would drop."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise CommandInterruptedError(str(interrupt) or INTERRUPTED_LINE) from None
