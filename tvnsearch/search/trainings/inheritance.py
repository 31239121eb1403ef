"""Inherited weights under watch: some children are trained from scratch as well, to see how they rank."""

from __future__ import annotations

from tvnsearch.search.events import Controlled
from tvnsearch.search.trainings.rank_watch import RankWatch

CONTROL_EVERY = 8
"""Of the children that began with inherited weights, one in so many is trained from scratch as well."""

FEWEST_CONTROLS = 8
"""So few pairs are judged, for each costs a training; of unrelated numbers the deviation is 0.29 then."""


class Inheritance:
    """Says which children begin with inherited weights, and which are trained from scratch as well.

    It is told of children by :meth:`take_in` and of controls by :meth:`compare`; the same calls in the same
    order give the same answers.
    """

    def __init__(self) -> None:
        self._watch = RankWatch("inheriting weights", FEWEST_CONTROLS, "trainings from scratch")
        self._heirs: dict[int, float] = {}
        self._first_without: int | None = None

    @property
    def active(self) -> bool:
        """Whether weights are still inherited by those judged from now on."""
        return self._watch.trusted

    def may_inherit(self, number: int) -> bool:
        """Whether candidate ``number`` begins with inherited weights; what was judged in time always does."""
        return self._first_without is None or number < self._first_without

    def take_in(self, number: int, fitness: float) -> bool:
        """Take in the fitness of an heir at the end of its training; whether it needs a control."""
        self._heirs[number] = fitness
        return len(self._heirs) % CONTROL_EVERY == 1

    def compare(self, control: Controlled) -> str | None:
        """Hold an heir against its training from scratch; a line for the log if this ends the trust."""
        if control.fitness is None:
            return None
        said = self._watch.add(self._heirs[control.number], control.fitness)
        if said is not None:
            self._first_without = control.next_number
        return said
