"""What has become of a run so far, by its events."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from tvnsearch.devices.measurement import Measurement
from tvnsearch.search.events import (
    Controlled,
    Event,
    Failed,
    FinalMeasured,
    FinalTrained,
    Judged,
    Noted,
    Paused,
    Promoted,
    Remeasured,
    RungPassed,
    Trained,
    WinnerChosen,
)
from tvnsearch.search.protocols import Fitness
from tvnsearch.search.records import (
    Candidate,
    Finalist,
    Individual,
    Rejected,
    VerdictKind,
    Winner,
    individual_of,
)


class History:
    """The candidates of a run, what training them came to, and who has won; ``max_ms`` is its budget."""

    def __init__(self, max_ms: float) -> None:
        self._max_ms = max_ms
        self.next_number = 0
        """That of the first candidate that is not judged yet."""
        self.verdicts: Counter[VerdictKind] = Counter(dict.fromkeys(get_args(VerdictKind), 0))
        self._measured: dict[int, Candidate] = {}
        self.accepted: dict[int, Candidate] = {}
        self.individuals: dict[int, Individual] = {}
        """Everything that was trained or is paused, in the order in which that was last said."""
        self.training_seconds: dict[int, float] = {}
        """For how long each of these kept a worker busy."""
        self.trained_seconds = 0.0
        """That of all together."""
        self.failures: dict[int, str] = {}
        """Why trainings failed; one that was paused before stays an individual."""
        self.ended: set[int] = set()
        """The numbers of the candidates whose training has ended, well or not."""
        self.trainings_saved = 0
        """How many candidates were duplicates of networks that had been given to training already."""
        self.controls: dict[int, float | None] = {}
        """What individuals that inherited weights come to from scratch; None where that failed."""
        self.lines: list[str] = []
        self.fresh_measurements: dict[int, Measurement] = {}
        """The latest measurement of each individual that was measured again."""
        self.final_measurements: dict[int, Measurement] = {}
        """Those of the finals, but the latest where one has won since."""
        self.final_trainings: dict[int, Fitness | None] = {}
        """The fitness of finalists after a whole training, the latest that went well; None where none did."""
        self.final_recipes: dict[int, dict[str, Any] | None] = {}
        """By which recipe each was trained that has a fitness; None for that of the plan."""
        self.failed_finals: dict[int, list[dict[str, Any] | None]] = {}
        """The recipes by which finalists could not be trained."""
        self.winner_is_final = False
        """Whether the winner was chosen after the last training, by a measurement that can be trusted."""
        self._winner: int | None = None
        self._accepted_ids: set[str] = set()

    @property
    def measured(self) -> list[Candidate]:
        """All candidates that were measured, or were to be and could not, in the order of their last try."""
        return list(self._measured.values())

    @property
    def failed_measurements(self) -> list[str]:
        """Why candidates could not be measured at all, in their order."""
        return [one.verdict.reason for one in self.measured if one.verdict.measurement is None]

    @property
    def winner(self) -> Winner | None:
        """The latest winner, if one was chosen and was not measured over the budget since."""
        if self._winner is None:
            return None
        measurement = self.fresh_measurements[self._winner]
        if measurement.decides(self._max_ms) is False:
            return None
        return Winner(self.individuals[self._winner], measurement)

    @property
    def winner_is_promised(self) -> bool:
        """Whether there is a winner whose measurement can be trusted with that it keeps the budget."""
        winner = self.winner
        return winner is not None and winner.measurement.decides(self._max_ms) is True

    @property
    def finalists(self) -> list[Finalist]:
        """The finalists that were trained at full length."""
        return [
            Finalist(
                self.individuals[number], self.final_measurements[number], fitness, self.final_recipes[number]
            )
            for number, fitness in self.final_trainings.items()
            if fitness is not None
        ]

    def final_has_ended(self, number: int, recipe: dict[str, Any] | None) -> bool:
        """Whether a finalist has nothing to gain from being trained by a recipe: it was, or cannot be."""
        was_last = number in self.final_recipes and self.final_recipes[number] == recipe
        return was_last or recipe in self.failed_finals.get(number, ())

    def fitness_of(self, individual: Individual) -> Fitness:
        """The fitness of a whole training where an individual had one in the finals, else the search's."""
        return self.final_trainings.get(individual.number) or individual.fitness

    def apply(self, event: Event) -> tuple[str, ...]:
        """Take in what has happened."""
        match event:
            case Judged():
                self._judged(event)
            case Remeasured():
                self.verdicts[self._measured.pop(event.measured.number).verdict.kind] -= 1
                self.verdicts[event.measured.verdict.kind] += 1
                self._take_in_measured(event.measured)
            case Paused() | Trained():
                self._told(event)
            case Failed():
                self._failed(event)
            case Controlled():
                self.controls[event.number] = event.fitness
            case WinnerChosen() | FinalMeasured() | FinalTrained():
                self._finals(event)
            case Noted():
                self.lines.append(event.text)
            case _:
                pass
        if isinstance(event, RungPassed | Paused | Promoted | Trained | Failed):
            self.winner_is_final = False
        return ()

    def _judged(self, event: Judged) -> None:
        for rejected in event.rejected:
            self._count(rejected)
            self.trainings_saved += rejected.duplicate in self._accepted_ids
        if event.measured is None:
            return
        self._count(event.measured)
        self._take_in_measured(event.measured)

    def _take_in_measured(self, candidate: Candidate) -> None:
        self._measured[candidate.number] = candidate
        if candidate.verdict.kind == "accepted":
            self.accepted[candidate.number] = candidate
            self._accepted_ids.add(candidate.genome_id)

    def _count(self, judged: Rejected | Candidate) -> None:
        self.next_number = judged.number + 1
        self.verdicts[judged.verdict.kind] += 1

    def _failed(self, event: Failed) -> None:
        self.ended.add(event.number)
        if event.number not in self.individuals:
            self.failures[event.number] = event.reason

    def _finals(self, event: WinnerChosen | FinalMeasured | FinalTrained) -> None:
        number = event.number
        if isinstance(event, FinalTrained):
            if event.fitness is None:
                self.final_trainings.setdefault(number, None)
                self.failed_finals.setdefault(number, []).append(event.recipe)
            else:
                self.final_trainings[number] = event.fitness
                self.final_recipes[number] = event.recipe
            return
        self.fresh_measurements[number] = event.measurement
        if isinstance(event, FinalMeasured) or number in self.final_measurements:
            self.final_measurements[number] = event.measurement
        if isinstance(event, WinnerChosen):
            self._winner = number
            self.winner_is_final = True
        if number == self._winner and event.measurement.decides(self._max_ms) is None:
            self.winner_is_final = False

    def _told(self, event: Paused | Trained) -> None:
        number = event.number
        self.individuals.pop(number, None)
        self.individuals[number] = individual_of(self.accepted[number], event.fitness)
        self.trained_seconds += event.seconds - self.training_seconds.get(number, 0.0)
        self.training_seconds[number] = event.seconds
        if isinstance(event, Trained):
            self.ended.add(number)
