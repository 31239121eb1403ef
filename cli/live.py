"""A view that is live on a terminal, and elsewhere a line now and then, where something has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.live import Live

from cli.output import PLAIN_LINE_EVERY_SECONDS, err, say


class LiveView:
    """What views of long work share; a context manager. The terminal is theirs once something is shown.

    What is shown last stays where an exception, such as Ctrl-C, ends the work.
    """

    def __init__(self, transient: bool) -> None:
        self._live = Live(console=err, refresh_per_second=2, transient=transient)
        self._last_line_s = 0.0
        self._said: Hashable = None

    def _show(
        self, rendered: Callable[[], RenderableType], line: Callable[[], str], figures: Hashable
    ) -> None:
        """Draw ``rendered`` on a terminal; elsewhere say ``line``, which tells ``figures``.

        It is not said again while the figures are the same, nor when the last one is not long enough ago.
        """
        if err.is_terminal:
            self._live.start()
            self._live.update(rendered())
        elif figures != self._said and time.monotonic() - self._last_line_s >= PLAIN_LINE_EVERY_SECONDS:
            say(line())
            self._know_said(figures)

    def _know_said(self, figures: Hashable) -> None:
        """Say no line for ``figures``, as another one has told them."""
        self._said = figures
        self._last_line_s = time.monotonic()

    def end(self) -> None:
        """Leave the terminal to what is shown next."""
        self._live.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._live.transient = False
        self.end()
