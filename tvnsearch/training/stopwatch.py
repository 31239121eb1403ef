"""How long a training has worked: the time for which its process was stopped is left out."""

from __future__ import annotations

import threading
import time
from types import TracebackType

LOOK_EVERY_SECONDS = 0.05

LONGEST_GAP_SECONDS = 0.25
"""On a loaded machine a thread that wants to look at the clock may be late, but not so late."""


class Stopwatch:
    """Counts from when it is entered, as long as this process can work; a context manager.

    A search stops the processes that train (SIGSTOP) while it measures, and no clock of the system stands
    still then. So a thread looks at the clock all the time: a gap between two looks is time without work.
    """

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._ended = threading.Event()
        self._looker = threading.Thread(target=self._look_all_the_time, daemon=True)
        self._began = self._looked = time.monotonic()
        self._stood_still_seconds = 0.0

    @property
    def seconds(self) -> float:
        """How long the process has worked."""
        with self._looking:
            self._look()
            return self._looked - self._began - self._stood_still_seconds

    @property
    def stood_still_seconds(self) -> float:
        """How long it could not."""
        with self._looking:
            self._look()
            return self._stood_still_seconds

    def __enter__(self) -> Stopwatch:
        self._began = self._looked = time.monotonic()
        self._looker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._looker.join()

    def _look_all_the_time(self) -> None:
        while not self._ended.wait(LOOK_EVERY_SECONDS):
            with self._looking:
                self._look()

    def _look(self) -> None:
        """Whoever looks first after a gap takes it in: no reading of the watch is ever ahead."""
        now = time.monotonic()
        gap = now - self._looked
        if gap > LONGEST_GAP_SECONDS:
            self._stood_still_seconds += gap - LOOK_EVERY_SECONDS
        self._looked = now
