"""Early stopping by asynchronous successive halving, within an evolution (after Li et al. 2020, ASHA).

Every training is scored at the rungs, a few fixed numbers of iterations. At each it goes on only if it is
among the best share of all that ever reached that rung. Nothing waits: a training is compared to whoever was
there before it, so the first ones go on unopposed. A network that is stopped keeps the fitness that it has.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from tvnsearch.search.acceleration.rank_watch import RankWatch

Decision = Literal["go on", "stop"]

KEEP_SHARE = 1 / 3
"""Of those that reach a rung, so many go on: the same as a reduction factor of 3."""

UNOPPOSED = 3
"""The first individuals, and so many at each rung, are never stopped: there is nobody to compare them to."""

CONTROL_EVERY = 16
"""One in so many is never stopped: without them only survivors would say how well the rungs foretell."""


class RungResult(Struct, frozen=True):
    """The fitness of individual ``number`` after ``iterations``: all that decisions rest on."""

    number: int
    iterations: int
    fitness: float


def halving_rungs(iterations: int, lowest_share: float = 1 / 9, factor: float = 3.0) -> tuple[int, ...]:
    """The rungs below a full training of ``iterations``: from ``lowest_share`` of it on, ``factor`` apart."""
    rungs, share = [], lowest_share
    while share < 0.999:
        rungs.append(max(1, math.ceil(share * iterations)))
        share *= factor
    return tuple(sorted({rung for rung in rungs if rung < iterations}))


class SuccessiveHalving:
    """Decides at each rung which trainings go on; the same reports in the same order, the same decisions.

    ``rungs`` are iterations, ascending, the full length ``iterations`` not among them. The first
    ``UNOPPOSED`` individuals by their first reports, and every ``CONTROL_EVERY``-th, are never stopped.
    """

    def __init__(self, rungs: tuple[int, ...], iterations: int) -> None:
        if not rungs or list(rungs) != sorted(set(rungs)) or not 0 < rungs[0] <= rungs[-1] < iterations:
            raise ValueError(
                f"expected ascending rungs between 0 and {iterations} iterations, but got {rungs}; "
                "halving_rungs() gives some"
            )
        self.rungs = rungs
        self._iterations = iterations
        self._at_rung: dict[int, list[float]] = {rung: [] for rung in rungs}
        self._known: dict[int, dict[int, float]] = {}
        self._controls: set[int] = set()
        self._watch = RankWatch("early stopping")

    @property
    def active(self) -> bool:
        """Whether it still stops trainings."""
        return self._watch.trusted

    @property
    def kendall(self) -> float | None:
        """The rank correlation of the lowest rung with full trainings, as far as it can be said."""
        return self._watch.kendall

    def report(self, result: RungResult) -> tuple[Decision, str | None]:
        """Take in the fitness at a rung or at full length; whether to go on, and a line for the log, if any.

        A training that is at its full length is told "stop".

        Raises:
            ValueError: the iterations are those of no rung, or were reported before.
        """
        number, iterations, fitness = result.number, result.iterations, result.fitness
        if iterations not in (*self.rungs, self._iterations):
            raise ValueError(
                f"expected a report at one of the rungs {self.rungs} or at {self._iterations} iterations, "
                f"but got one at {iterations}; report there and nowhere else"
            )
        if number not in self._known:
            if len(self._known) < UNOPPOSED or len(self._known) % CONTROL_EVERY == 0:
                self._controls.add(number)
            self._known[number] = {}
        if iterations in self._known[number]:
            raise ValueError(
                f"expected one report of individual {number} at {iterations} iterations, but got another; "
                "report each rung once"
            )
        self._known[number][iterations] = fitness
        if iterations == self._iterations:
            return "stop", self._finished(number, fitness)
        return self._at(iterations, number, fitness), None

    def _at(self, rung: int, number: int, fitness: float) -> Decision:
        before = self._at_rung[rung]
        better = sum(other > fitness for other in before)
        before.append(fitness)
        if not self.active or len(before) <= UNOPPOSED or number in self._controls:
            return "go on"
        return "go on" if better < max(1, math.floor(KEEP_SHARE * len(before))) else "stop"

    def _finished(self, number: int, fitness: float) -> str | None:
        first = self._known[number].get(self.rungs[0])
        return None if first is None else self._watch.add(first, fitness)
