"""How long a search goes on trying where trainings end for want of what any training needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from tvnsearch.errors import UserError

PAUSES_SECONDS = (2.0, 10.0, 60.0)
"""How long no training begins after one round of such failures, after the next, and so on.

What is busy answers after seconds, a share that is mounted again after a minute; a disk stays full.
"""

MOST_OF_ONE = 3
"""A network whose trainings have ended so often, while others end well, is what it is about."""


class Patience:
    """Counts such failures, in rounds: those of trainings that began before the last one count with it.

    It knows this process alone, for a search that is taken up again finds other surroundings.
    ``clock`` counts seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rounds = 0
        self._in_a_row = 0
        self._who_in_a_row: set[int] = set()
        self._round_at = clock()
        self._until = clock()
        self._of_one: Counter[int] = Counter()

    @property
    def wait_seconds(self) -> float:
        """For how long no training is to begin."""
        return max(0.0, self._until - self._clock())

    @property
    def is_over(self) -> bool:
        """Whether waiting longer is no help, unless other trainings go on that may end well."""
        return self._rounds > len(PAUSES_SECONDS)

    def is_about(self, number: int) -> bool:
        """Whether no training but those of one individual have ended so since one ended well."""
        return self._who_in_a_row == {number}

    def failed(self, number: int, began: float, is_lasting: bool = False) -> bool:
        """A training of an individual that ``began`` then has ended so; whether that is its own fault.

        Where that ``is_lasting`` no training works in this process any more, however long it waits.
        """
        self._who_in_a_row.add(number)
        if is_lasting:
            self._in_a_row += 1
            self._rounds = len(PAUSES_SECONDS) + 1
            self._until = math.inf
            return False
        self._of_one[number] += 1
        self._in_a_row += 1
        if self._rounds == 0 or began > self._round_at:
            self._rounds += 1
            self._round_at = self._clock()
            self._until = self._round_at + PAUSES_SECONDS[min(self._rounds, len(PAUSES_SECONDS)) - 1]
        return self._of_one[number] >= MOST_OF_ONE and self._in_a_row < MOST_OF_ONE

    def lost(self, reason: Exception, how_to_go_on: str) -> UserError:
        """What a user is told once it is over."""
        return UserError(
            f"expected trainings to work, but {self._in_a_row} in a row ended for what is none of the "
            f"networks' fault ({reason}); mend that, and {how_to_go_on}: nothing that was trained is lost"
        )

    def succeeded(self) -> None:
        """A training has come to an end of its own."""
        self._rounds = self._in_a_row = 0
        self._who_in_a_row.clear()
        self._until = self._clock()
