"""A worker on another machine: the same requests and answers, over what a command of this one connects to.

The first line that comes is a greeting, with the version of tvnsearch there; lines before it are what a login
says to people. Imports no torch, and nothing of a device.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tvnsearch.devices.remote.place import command_to
from tvnsearch.errors import UserError
from tvnsearch.process_end import described_end
from tvnsearch.workers import (
    AskedProcess,
    EnvironmentFailedError,
    Progress,
    WorkerDiedError,
    WorkerFailedError,
    as_line,
    from_line,
)

PACKAGE = "tvnsearch"

GREETING_SECONDS = 120.0
"""The longest until a greeting comes: a connection, and a Python that is read from a slow card."""

ANSWER_SECONDS = 600.0
"""The longest that an answer takes beside the measuring that was asked for.

Libraries are read and a network is built, and others may be timing there.
"""

NO_MODULE = re.compile(r"No module named '?(?P<module>[\w.]+)")
NO_PYTHON = re.compile(r"not found|No such file or directory|inaccessible", re.IGNORECASE)
NO_PROGRAM_CODES = (126, 127)


class ConnectionLostError(EnvironmentFailedError):
    """The other machine could not be reached, or not any more; what was asked for may be asked for again."""


class BoardWorker(AskedProcess):
    """A worker that runs MODULE at ``place``, as :class:`tvnsearch.workers.Worker` does here.

    Connected to at once; its greeting is waited for at the first request.

    Raises:
        UserError: the words of ``place`` name no way there.
        EnvironmentFailedError: this machine lacks the program that connects.
    """

    def __init__(self, place: str, module: str, threads: int, pin_allocator: bool = True) -> None:
        command = command_to(place)
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C reaches the driver alone
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFailedError(
                f"expected a program {command[0]!r} on this machine, to reach {place}, but none starts "
                f"({error.strerror}); install it, or say another way with --device cmd:"
            ) from None
        assert process.stdout
        assert process.stderr
        self._place = place
        self._has_greeted = False
        self._worker = {"module": module, "threads": threads, "pin_allocator": pin_allocator}
        super().__init__(process, process.stdout, process.stderr)

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        on_progress: Progress | None = None,
        max_seconds: float | None = None,
    ) -> Any:
        """Run ``method(**params)`` in the worker there; ``max_seconds`` bound what it measures, not all else.

        Raises:
            ConnectionLostError: the machine cannot be reached, or is silent for far longer than that.
            EnvironmentFailedError: it has no tvnsearch, or another version, or it failed for what is around.
            UserError, WorkerFailedError, WorkerDiedError: as in a worker of this machine.
        """
        request = {**self._worker, "method": method, "params": params}
        return self.ask("call", request, on_progress, max_seconds)

    def ask(
        self,
        question: str,
        params: Mapping[str, Any],
        on_progress: Progress | None = None,
        max_seconds: float | None = None,
    ) -> Any:
        """What the board says itself, without a worker.

        Raises:
            As :meth:`call`.
        """
        self._be_greeted()
        try:
            return super().call(question, params, on_progress, ANSWER_SECONDS + 2 * (max_seconds or 0.0))
        except UserError as error:
            raise UserError(f"{self._place} says: {error}") from None

    def _be_greeted(self) -> None:
        """Wait for the greeting, and compare versions.

        Raises:
            EnvironmentFailedError: none comes, or the version is another one.
        """
        if self._has_greeted:
            return
        with self._ended_after(GREETING_SECONDS):
            for line in self._answers:
                theirs = _greeted_version(line)
                if theirs is not None:
                    break
                self._keep_line(line)
            else:
                raise self._death()
        ours = version_here()
        if theirs != ours:
            raise EnvironmentFailedError(
                f"expected {PACKAGE} {ours} at {self._place}, as on this machine, but it has {theirs}; "
                f"install the same version on both (there: pip install {PACKAGE}=={ours})"
            )
        self._has_greeted = True

    def _death(self) -> WorkerDiedError | EnvironmentFailedError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._signal(signal.SIGKILL)  # its output has ended, and it has not
        code = self._process.wait()
        last_words = self._last_words()
        if self._has_greeted:
            how = "answered no more" if self._was_silent else f"broke ({described_end(code, False)})"
            return ConnectionLostError(f"the connection to {self._place} {how}: {last_words}")
        refusal = None if self._was_silent else _why_refused(self._place, code, last_words)
        if refusal is not None:
            return EnvironmentFailedError(refusal)
        how = f"nothing came for {GREETING_SECONDS:g} s" if self._was_silent else described_end(code, False)
        return ConnectionLostError(
            f"{self._place} could not be reached ({how}: {last_words}); see whether its command "
            "works by hand, without a question for a password"
        )


def ask(place: str, question: str, params: Mapping[str, Any]) -> Any:
    """One question to a board, over a connection of its own.

    Raises:
        UserError: it says no, cannot be reached, or lacks what it takes to answer.
    """
    try:
        with BoardWorker(place, "", 1) as board:
            return board.ask(question, params)
    except (WorkerFailedError, WorkerDiedError) as error:
        raise UserError(str(error)) from None


def greeting() -> bytes:
    """The first line that a board answers."""
    return as_line({PACKAGE: version_here()})


def version_here() -> str:
    """The version of this package on this machine."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "an unknown version"


def _greeted_version(line: bytes) -> str | None:
    """The version in a greeting; None where the line is none."""
    try:
        said = from_line(line)
    except ValueError:
        return None
    return str(said[PACKAGE]) if isinstance(said, dict) and said.keys() == {PACKAGE} else None


def _why_refused(place: str, code: int, last_words: str) -> str | None:
    """The sentence on a machine that was reached and has not what it takes; None where it was not reached."""
    install = f"install it there (pip install {PACKAGE}=={version_here()})"
    other_python = 'name a Python that has it, as --device "cmd:ssh HOST /opt/venv/bin/python"'
    missing = NO_MODULE.search(last_words)
    if missing and missing["module"].startswith(f"{PACKAGE}."):
        return (
            f"expected {PACKAGE} {version_here()} at {place}, as on this machine, but it has an older one "
            f"(without {missing['module']}); {install}"
        )
    if missing:
        return (
            f"expected {PACKAGE} for the Python at {place}, but it has no module {missing['module']}; "
            f"{install}, or {other_python}"
        )
    if "Unknown option: -P" in last_words or "unknown option -P" in last_words:
        return f"expected Python 3.11 or later at {place}, but it has an older one; {other_python}"
    if code in NO_PROGRAM_CODES and NO_PYTHON.search(last_words):
        return f"expected a Python at {place}, but that was not found ({last_words}); {other_python}"
    return None
