"""A view that is live on a terminal and a line every ten seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.live import Live

from cli.output import PLAIN_LINE_EVERY_SECONDS, err, say


class LiveView:
    """What views of long work share; a context manager. The terminal is theirs once something is shown."""

    def __init__(self, transient: bool) -> None:
        self._live = Live(console=err, refresh_per_second=2, transient=transient)
        self._last_line_s = 0.0

    def _show(self, rendered: Callable[[], RenderableType], line: Callable[[], str]) -> None:
        """Draw ``rendered`` on a terminal; elsewhere say ``line``, if the last one is long enough ago."""
        if err.is_terminal:
            self._live.start()
            self._live.update(rendered())
        elif time.monotonic() - self._last_line_s >= PLAIN_LINE_EVERY_SECONDS:
            self._last_line_s = time.monotonic()
            say(line())

    def end(self) -> None:
        """Leave the terminal to what is shown next."""
        self._live.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
