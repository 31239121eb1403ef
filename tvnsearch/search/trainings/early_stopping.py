"""Early stopping within an evolution: trainings without prospects are paused, and may be promoted later.

Asynchronous like ASHA (Li et al. 2020): nothing waits for others, and what is paused goes on from its
checkpoint once it looks better than it did. Instead of by quantiles of a rung it is judged by what its curve
foretells: learning rates fall along a cosine, and before the middle of a training networks rank poorly.

What has no prospects depends on what the strategy looks for: the best network, or a front. On a front only
what costs at most as much stands in a network's way: a fast network need not be fitter than a slow one.
"""

from __future__ import annotations

import math

from tvnsearch.search.trainings.foretelling import Foretelling, Foretold
from tvnsearch.search.trainings.rank_watch import RankWatch
from tvnsearch.search.trainings.results import RungResult
from tvnsearch.search.trainings.whole_front import WholeFront

RUNG_SHARES = (0.6,)
"""Where trainings are looked at, as shares of their iterations."""

CAUTION = 3.0
"""Paused is what would be dominated even if it came out so many standard deviations better than foretold."""

CONTROL_EVERY = 16
"""One in so many is never paused: without them only survivors would say how well the rungs foretell."""

MOST_PAUSED = 16
"""So many paused trainings keep their checkpoints, those that are foretold to miss their rivals by least."""


def rungs_of(iterations: int) -> tuple[int, ...]:
    """The iterations at which a training of ``iterations`` is looked at."""
    rungs = {max(1, round(share * iterations)) for share in RUNG_SHARES}
    return tuple(sorted(rung for rung in rungs if rung < iterations))


class EarlyStopping:
    """Says which trainings are paused and which paused ones go on.

    ``rungs`` are iterations, ascending, the full length ``iterations`` not among them. What happened is told
    by :meth:`report`, :meth:`pause` and :meth:`promote`; the same calls in the same order, the same answers.
    Nothing is paused before some trainings were whole, nor every ``CONTROL_EVERY``-th individual.
    """

    def __init__(self, rungs: tuple[int, ...], iterations: int) -> None:
        if not rungs or list(rungs) != sorted(set(rungs)) or not 0 < rungs[0] <= rungs[-1] < iterations:
            raise ValueError(
                f"expected ascending rungs between 0 and {iterations} iterations, but got {rungs}; "
                "rungs_of() gives some"
            )
        self.rungs = rungs
        self._iterations = iterations
        self._foretelling = Foretelling()
        self._front = WholeFront()
        self._latest: dict[int, RungResult] = {}
        self._first: dict[int, float] = {}
        self._controls: set[int] = set()
        self._paused: set[int] = set()
        self._watch = RankWatch("early stopping")

    @property
    def active(self) -> bool:
        """Whether it still pauses trainings."""
        return self._watch.trusted

    @property
    def kendall(self) -> float | None:
        """The rank correlation of the lowest rung with full trainings, as far as it can be said."""
        return self._watch.kendall

    @property
    def paused(self) -> frozenset[int]:
        """The paused trainings that may still go on."""
        return frozenset(self._paused)

    def report(self, result: RungResult) -> str | None:
        """Take in the fitness at a rung or at full length; a line for the log, if there is one.

        Raises:
            ValueError: the iterations are those of no rung, or not behind those reported before.
        """
        number, iterations = result.number, result.iterations
        before = self._latest.get(number)
        if iterations not in (*self.rungs, self._iterations) or (before and before.iterations >= iterations):
            raise ValueError(
                f"expected a report of individual {number} at one of the rungs {self.rungs} or at "
                f"{self._iterations} iterations, one after the other, but got one at {iterations}; report "
                "each once and nothing else"
            )
        if before is None:
            if self._is_control(number):
                self._controls.add(number)
            self._first[number] = result.fitness
        self._latest[number] = result
        self._foretelling.observe(number, iterations / self._iterations, result.fitness)
        is_whole = iterations == self._iterations
        if is_whole:
            self._front.add(result.fitness, result.costs)
        return self._watch.add(self._first[number], result.fitness) if is_whole and before else None

    def prospect(self, result: RungResult) -> Foretold | None:
        """What a training comes to if it goes on, reported or not; None where nothing can be said yet."""
        if not self._foretelling.ready:
            return None
        return self._foretelling.end(result.number, result.iterations / self._iterations, result.fitness)

    def is_hopeless(self, result: RungResult) -> bool:
        """Whether a training with that result at a rung, not reported yet, is to be paused."""
        return self.active and not self._is_control(result.number) and not self._has_prospects(result)

    def pause(self, number: int) -> None:
        """Take in that a training is paused; the one with the least prospects may be given up for it."""
        self._paused.add(number)
        if len(self._paused) > MOST_PAUSED:
            self._paused.remove(min(self._paused, key=lambda one: (self._lead(one), one)))

    def next_promotion(self) -> int | None:
        """The paused training that is to go on, of those that might come out undominated by now."""
        hopeful = [number for number in self._paused if self._has_prospects(self._latest[number])]
        return max(hopeful, key=lambda one: (self._lead(one), -one), default=None)

    def promote(self, number: int) -> None:
        """Take in that a paused training goes on."""
        self._paused.discard(number)

    def _is_control(self, number: int) -> bool:
        if number in self._latest:
            return number in self._controls
        return len(self._latest) % CONTROL_EVERY == 0

    def _has_prospects(self, result: RungResult) -> bool:
        """Whether a training may come out undominated; with fitness alone, as the best."""
        prospect = self.prospect(result)
        return prospect is None or prospect.mean + CAUTION * prospect.sd >= self._front.to_beat(result.costs)

    def _lead(self, number: int) -> float:
        """How far a paused training is foretold to come out over what it has to beat."""
        result = self._latest[number]
        prospect = self.prospect(result)
        return -math.inf if prospect is None else prospect.mean - self._front.to_beat(result.costs)
