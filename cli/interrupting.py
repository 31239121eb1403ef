"""Ctrl-C, SIGTERM and SIGHUP in a command, which can say more of it than that it was interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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


ENDING = (signal.SIGTERM, signal.SIGHUP)
"""What a scheduler, a service manager and a closed terminal send to end a process."""


@contextmanager
def interrupted_by_signals() -> Iterator[list[int]]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does; gives the one that came, once it has.

    What is ignored stays ignored, as nohup wants it. After the first neither interrupts any more, so that
    what is being ended comes to its end.
    """
    came: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for one in taken:
            signal.signal(one, signal.SIG_IGN)
        came.append(number)
        raise KeyboardInterrupt

    taken = [one for one in ENDING if signal.getsignal(one) == signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        taken = []  # only the main thread may say what signals do
    for one in taken:
        signal.signal(one, interrupt)
    try:
        yield came
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)
