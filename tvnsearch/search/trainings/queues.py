"""Where the candidates of a run stand on the way through their trainings, by what has happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tvnsearch.search.events import Begun, Paused, Returned, RungPassed
from tvnsearch.search.records import Candidate

Queue = dict[int, Candidate]
"""Candidates by their numbers, the first one first."""


class Queues:
    """The accepted ``candidates``: those that wait, are in training, go on, are paused, or are controls."""

    def __init__(self) -> None:
        self.candidates: Queue = {}
        self.ready: Queue = {}
        self.at_rung: Queue = {}
        self.paused: Queue = {}
        self.promoted: Queue = {}
        self.controls: Queue = {}
        self._returned: Queue = {}
        """What waits again, for no fault of its own, until another training shows that trainings work."""
        self._in_training: Queue = {}
        self._in_control: Queue = {}
        self._returned_controls: Queue = {}
        self._looks: dict[int, list[RungPassed | Paused]] = {}

    @property
    def unfinished(self) -> int:
        """How many candidates have no fitness yet: they are in training, go on, or are still to begin."""
        unknown = sum(self._last_look(number) is not Paused for number in self._in_training)
        unknown += sum(self._last_look(number) is not Paused for number in self._returned)
        return len(self.ready) + unknown + len(self.at_rung)

    @property
    def needed(self) -> Iterable[Candidate]:
        """The candidates whose training may still begin or go on."""
        queues = (self.ready, self._returned, self.promoted, self.at_rung, self._in_training, self.paused)
        return [candidate for queue in queues for candidate in queue.values()]

    @property
    def all_controls(self) -> Iterable[int]:
        """The numbers of those whose training from scratch may still begin or end."""
        return (*self.controls, *self._in_control, *self._returned_controls)

    def next_ready(self) -> Candidate | None:
        """The candidate that has waited longest for its training, or else one that has had it in vain."""
        return first(self.ready) or first(self._returned)

    def looks(self, number: int) -> Sequence[RungPassed | Paused]:
        """What a training was found to be at the points at which it was looked at."""
        return self._looks.get(number, ())

    def accept(self, candidate: Candidate) -> None:
        """A candidate is to be trained."""
        self.candidates[candidate.number] = self.ready[candidate.number] = candidate

    def begin(self, event: Begun) -> None:
        """A worker has a training, or a control."""
        number = event.number
        if event.from_scratch:
            self._in_control[number] = self.controls.pop(number)
            return
        for queue in (self.ready, self._returned, self.at_rung, self.promoted):
            queue.pop(number, None)
        self._in_training[number] = self.candidates[number]

    def end(self, number: int) -> None:
        """A training has failed."""
        self._in_training.pop(number, None)

    def succeed(self, number: int) -> Candidate:
        """A training has come to where it is looked at, which shows that trainings work; whose that is."""
        candidate = self._in_training.pop(number)
        self._try_again()
        return candidate

    def look(self, event: RungPassed | Paused) -> None:
        """Remember at what point a training was looked at, and what was found."""
        self._looks.setdefault(event.number, []).append(event)

    def promote(self, number: int) -> None:
        """A paused training is to go on."""
        self.paused.pop(number, None)
        self.promoted[number] = self.candidates[number]

    def end_control(self, number: int) -> None:
        """A control has ended."""
        self._in_control.pop(number, None)

    def give_back(self, event: Returned) -> None:
        """A training, or a control, has ended for what is none of its network's fault."""
        number = event.number
        if event.from_scratch:
            self._returned_controls[number] = self._in_control.pop(number)
        else:
            self._returned[number] = self._in_training.pop(number)

    def cut_off(self) -> None:
        """Have what was in training when a process ended wait for a worker again, before all others."""
        for number, candidate in self._in_training.items():
            queues = {None: self.ready, RungPassed: self.at_rung, Paused: self.promoted}
            queues[self._last_look(number)][number] = candidate
        self._in_training = {}
        self._try_again()
        self.ready = dict(sorted(self.ready.items()))
        self.controls = self._in_control | self.controls
        self._in_control = {}

    def _try_again(self) -> None:
        """Have what was returned wait where it did before, for trainings work by now."""
        returned, self._returned = self._returned, {}
        self.ready = {n: one for n, one in returned.items() if self._last_look(n) is None} | self.ready
        for number, candidate in returned.items():
            if (look := self._last_look(number)) is not None:
                {RungPassed: self.at_rung, Paused: self.promoted}[look][number] = candidate
        self.controls = self._returned_controls | self.controls
        self._returned_controls = {}

    def _last_look(self, number: int) -> type[RungPassed | Paused] | None:
        looks = self._looks.get(number)
        return type(looks[-1]) if looks else None


def first(queue: Queue) -> Candidate | None:
    """The candidate that is first in a queue, if there is one."""
    return next(iter(queue.values()), None)
