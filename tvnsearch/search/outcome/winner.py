"""The winner of a run: the fittest individual that keeps the budget when it is measured once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import load_genome
from tvnsearch.search.outcome.promise import measure_for_promise, written_miss
from tvnsearch.search.protocols import PromisingMeter
from tvnsearch.search.records import Individual, Winner, rank
from tvnsearch.search.run_folder import new_withdrawn_folder, winner_folder

RIVALS_AT_ONCE = 3
"""So many are measured together once the fittest has failed: starting processes takes longer than measuring.

The fittest is measured alone, as it mostly wins: others would only be waited for.
"""

MOST_DOUBTFUL = 3
"""After so many that seem to keep the budget, and cannot be trusted to, no others are measured."""


class Contest:
    """Measures individuals freshly, the fittest first, until one keeps the budget for sure.

    ``say`` gets a sentence on each that does not, and ``on_over`` the measurement of each that surely is over
    the budget. Nothing is measured twice.
    """

    def __init__(
        self,
        max_ms: float,
        latency: PromisingMeter,
        say: Callable[[str], None],
        on_over: Callable[[int, Measurement], None] = lambda number, measurement: None,
    ) -> None:
        self._max_ms = max_ms
        self._latency = latency
        self._say = say
        self._on_over = on_over
        self._measured: dict[int, Measurement | None] = {}
        self._told: set[int] = set()

    def winner_of(self, individuals: Iterable[Individual]) -> Winner | None:
        """The fittest that keeps the budget; None if none does.

        Where none can be trusted to, the fittest that seems to: its measurement says why that is no promise.
        """
        rivals = sorted(individuals, key=rank, reverse=True)
        doubtful: list[Winner] = []
        for place, individual in enumerate(rivals):
            if individual.number not in self._measured:
                self._measure(rivals[place:])
            measurement = self._measured[individual.number]
            if measurement is None:
                continue
            winner = Winner(individual, measurement)
            if measurement.decides(self._max_ms):
                return winner
            self._tell_once(individual.number, measurement)
            if measurement.keeps(self._max_ms):
                doubtful.append(winner)
            if len(doubtful) == MOST_DOUBTFUL:
                break
        return doubtful[0] if doubtful else None

    def _measure(self, rivals: list[Individual]) -> None:
        together = RIVALS_AT_ONCE if self._measured else 1
        unknown = [rival for rival in rivals if rival.number not in self._measured][:together]
        self._measured |= dict.fromkeys(rival.number for rival in unknown)
        self._measured |= measure_for_promise(unknown, self._max_ms, self._latency, self._tell_failure)

    def _tell_failure(self, individual: Individual, reason: str) -> None:
        self._say(f"individual {individual.number} cannot win: measuring it again failed ({reason})")

    def _tell_once(self, number: int, measurement: Measurement) -> None:
        if number not in self._told:
            self._told.add(number)
            is_over = measurement.decides(self._max_ms) is False
            if is_over:
                self._on_over(number, measurement)
            cannot = "cannot win" if is_over else "cannot be promised"
            self._say(
                f"individual {number} {cannot}: measured again {written_miss(measurement, self._max_ms)}"
            )


def withdraw_former(run: Path, winner: Winner | None, say: Callable[[str], None]) -> None:
    """Rename the winner's folder if a network was handed over there that is not ``winner``.

    All its files are kept: its weights may be trained longer than any others of it. ``say`` gets a sentence.
    """
    folder = winner_folder(run)
    try:
        handed_over = load_genome(folder / "genome.json")
    except UserError:
        return  # nothing was handed over, or not to the end: what is there is no network yet
    if winner is not None and winner.individual.genome == handed_over:
        return
    withdrawn = folder.rename(new_withdrawn_folder(run))
    say(f"the network that was handed over is the winner no more: its files are in {withdrawn} now")
