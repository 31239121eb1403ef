"""Workers that no machine has room for: waited for, but neither in silence nor for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tvnsearch.errors import UserError

NO_WORKER_SECONDS = 3600.0
"""A search that has had no worker at all for so long ends, and can be resumed when there is room."""


class Waiting:
    """Says that workers wait for room, once while others work and once when none does; for several threads.

    ``clock`` is in seconds.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._working = 0
        self._none_since: float | None = None
        self._told: set[bool] = set()

    def joined(self) -> None:
        """A worker has got its place."""
        with self._lock:
            self._working += 1
            self._none_since = None

    def left(self) -> None:
        """A worker that had a place is gone."""
        with self._lock:
            self._working -= 1

    def lacks(self, needed: str) -> None:
        """A worker waits that needs so much on one machine.

        Raises:
            UserError: there has been no worker at all for NO_WORKER_SECONDS.
        """
        with self._lock:
            others, now = self._working, self._clock()
            if not others and self._none_since is None:
                self._none_since = now
            waited = 0.0 if self._none_since is None else now - self._none_since
            is_news = bool(others) not in self._told
            self._told.add(bool(others))
        minutes = NO_WORKER_SECONDS / 60
        if waited >= NO_WORKER_SECONDS:
            raise UserError(
                f"expected room for a worker on the Ray cluster ({needed} on one machine), but there was "
                f"none for {minutes:.0f} minutes; free or add a machine, then resume the run"
            )
        if is_news and others:
            self._say(
                f"a worker waits until a machine of the Ray cluster has room for it ({needed}); the {others} "
                "at work go on meanwhile"
            )
        elif is_news:
            self._say(
                f"no machine of the Ray cluster has room for a worker ({needed}): the search waits for one, "
                f"up to {minutes:.0f} minutes"
            )
