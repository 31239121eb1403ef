"""Where a device is, in a user's words: ``ssh:HOST``, or ``cmd:COMMAND`` for any other way there.

Both come to words that a program of this machine is started with; no shell of this machine sees them. The
words that are added are plain ones, which no shell of another machine changes: so the same ones do for
``ssh`` and ``adb shell``, which hand them to a shell, and for ``docker exec``, which does not.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from tvnsearch.errors import UserError

BOARD = "tvnsearch.devices.remote.board"
"""The module that answers on the other machine."""

SSH_OPTIONS = {
    "BatchMode": "yes",  # nobody is asked for a password: it fails instead
    "ConnectTimeout": "20",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "4",
}
"""A connection that a minute brings nothing of is broken; a search may measure nothing for hours."""

DEFAULT_PYTHON = "python3"

_ELSEWHERE = re.compile(r"(?:(?P<processor>\w+)@)?(?P<place>(?:ssh|cmd):.*)", re.DOTALL)


class Whereabouts(NamedTuple):
    """A processor and the place that it is at, which is empty for this machine."""

    processor: str
    place: str

    @property
    def words(self) -> str:
        """As the user names it."""
        if not self.place:
            return self.processor
        return self.place if self.processor == "cpu" else f"{self.processor}@{self.place}"


def whereabouts(words: str) -> Whereabouts:
    """Read ``cpu``, ``ssh:pi``, ``cuda@ssh:jetson``, ``cmd:adb shell python``.

    Elsewhere it is the ``cpu`` unless another processor is named.
    """
    match = _ELSEWHERE.fullmatch(words)
    return Whereabouts(match["processor"] or "cpu", match["place"]) if match else Whereabouts(words, "")


def command_to(place: str) -> list[str]:
    """The words that start :mod:`BOARD` at ``place``, with its input and output here.

    A command of the user's own is one that runs Python there.

    Raises:
        UserError: they name no host or no command.
    """
    kind, _, given = place.partition(":")
    board = ["-P", "-m", BOARD]
    if kind == "ssh":
        if not re.fullmatch(r"[^\s-]\S*", given):
            raise UserError(
                f"expected a host as ssh takes it behind ssh:, but {given!r} came; say --device ssh:pi, or "
                "ssh:user@host, and the port in ~/.ssh/config"
            )
        options = [word for name, value in SSH_OPTIONS.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-T", *options, "--", given, shlex.join([DEFAULT_PYTHON, *board])]
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise UserError(
            f"expected a command behind cmd:, but {given!r} came ({str(error).lower()}); close its quotes"
        ) from None
    if not words:
        raise UserError(
            "expected a command that runs Python elsewhere behind cmd:, but nothing came; say "
            '--device "cmd:ssh pi /opt/venv/bin/python"'
        )
    return [*words, *board]
