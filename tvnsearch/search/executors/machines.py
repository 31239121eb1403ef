"""Which machines of a cluster fail whatever they get, and are set aside."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

FAILURES_IN_A_ROW = 2
"""A machine that failed so often, with no success in between, is likely to fail the next one too."""


class Machines:
    """Counts the failures of each machine since its last success; several threads may tell of them.

    Failures are those that say nothing about the work: a full disk, a missing folder, a worker that was lost.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._set_aside: set[str] = set()

    @property
    def set_aside(self) -> frozenset[str]:
        """Those that get no work any more."""
        with self._lock:
            return frozenset(self._set_aside)

    @property
    def doubtful(self) -> frozenset[str]:
        """Those that failed last, and get work if no other has room."""
        with self._lock:
            return frozenset(self._failures) - self._set_aside

    def did_well(self, machine: str) -> None:
        """What ``machine`` was asked for is done."""
        with self._lock:
            self._failures.pop(machine, None)

    def failed(self, machine: str, name: str, reason: str, has_others: bool) -> None:
        """``machine``, to be called ``name``, failed for this ``reason``.

        One that is all there is, without others that could take its work, is not set aside.
        """
        with self._lock:
            self._failures[machine] += 1
            is_news = machine not in self._set_aside
            if not (has_others and is_news and self._failures[machine] >= FAILURES_IN_A_ROW):
                return
            self._set_aside.add(machine)
        self._say(
            f"{name} is set aside, and its work goes on elsewhere: it failed {FAILURES_IN_A_ROW} times in a "
            f"row, at last with: {reason}"
        )
