"""Which machines of a cluster fail whatever they get, and are set aside; and what workers died of there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

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


class Death(NamedTuple):
    """A worker died of a request: on this ``machine``, to be called ``name``, for this ``reason``."""

    machine: str
    name: str
    reason: str


class Deaths:
    """Which request a worker died of, until it is known whose fault that was; for several threads.

    A worker may die of what it was asked for, or of its machine: too little memory there, a processor that
    lacks an instruction. Only another machine tells these apart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deaths: dict[str, Death] = {}

    def avoided(self, request: str) -> frozenset[str]:
        """Where a worker died of ``request``: it is to be tried elsewhere."""
        with self._lock:
            death = self._deaths.get(request)
        return frozenset() if death is None else frozenset([death.machine])

    def died(self, request: str, death: Death, has_others: bool) -> None:
        """A worker died; a second time, or without other machines to try, that is the request's own fault."""
        with self._lock:
            if self._deaths.pop(request, None) is None and has_others:
                self._deaths[request] = death

    def answered(self, request: str) -> Death | None:
        """The death that its machine is to blame for, now that ``request`` has ended well elsewhere."""
        with self._lock:
            return self._deaths.pop(request, None)
