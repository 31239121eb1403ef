"""What people and programs read: tables and progress for people, JSON alone on stdout for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.tables import table_of
from tvnsearch.api.watching import Watch
from tvnsearch.json_text import json_of

out = Console()
err = Console(stderr=True)

PLAIN_LINE_EVERY_SECONDS = 10.0


def print_json(data: Any) -> None:
    """Write one JSON document to stdout and nothing else."""
    sys.stdout.write(msgspec.json.format(json_of(data), indent=1) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], word_columns: int = 1
) -> None:
    """Print a table; after ``word_columns`` columns of words come numbers, which stand right.

    Where the terminal is too narrow, words are wrapped and broken; numbers never are.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    out.print(table_of(title, columns, cells, word_columns, out.width))


def say(text: str) -> None:
    """A line for people, on stderr so that stdout stays clean for JSON."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


def count(value: int) -> str:
    """A count for people: 26.4 M, 928 k, 12."""
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return str(value)


class ProgressBar:
    """A bar with a time to go on a terminal, a line every ten seconds elsewhere; a context manager."""

    def __init__(self, description: str) -> None:
        self._last_line_s = 0.0
        self._began_s = time.monotonic()
        self._description = description
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=err,
            disable=not err.is_terminal,
        )
        self._task = self._progress.add_task(description, total=1.0, note="")

    def update(self, share: float, note: str = "") -> None:
        """Show that ``share`` (0 to 1) is done."""
        self._progress.update(self._task, completed=min(share, 1.0), note=note)
        now_s = time.monotonic()
        if not err.is_terminal and now_s - self._last_line_s >= PLAIN_LINE_EVERY_SECONDS:
            self._last_line_s = now_s
            elapsed_s = now_s - self._began_s
            left = f", {max(elapsed_s / share - elapsed_s, 0):.0f} s to go" if share > 0.01 else ""
            say(f"{self._description}: {100 * min(share, 1.0):.0f} %{left}  {note}")

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()


@contextmanager
def watching() -> Iterator[Watch]:
    """What an API function says, on stderr, and a bar for each task that it tells of, one at a time."""
    bars = _Bars()
    try:
        yield Watch(say, bars.show)
    finally:
        bars.end()


class _Bars:
    """The bar of the task that was told of last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._task = ""
        self._bar: ProgressBar | None = None
        self._is_over = False

    def show(self, task: str, share: float, note: str) -> None:
        """Take in how far a task is; what is done already stays so."""
        with self._lock:
            is_done = self._bar is None and task == self._task and share >= 1
            if is_done or self._is_over:
                return
            if self._bar is None or task != self._task:
                self._end()
                self._task, self._bar = task, ProgressBar(task).__enter__()
            self._bar.update(share, note)
            if share >= 1:
                self._end()

    def end(self) -> None:
        """End the bar, if there is one; none begins after it, whatever threads still tell."""
        with self._lock:
            self._is_over = True
            self._end()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
