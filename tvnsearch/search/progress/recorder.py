"""The one way in which a run changes: an event is written, everything takes it in, and it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from tvnsearch.search.events import (
    Begun,
    Controlled,
    Event,
    Failed,
    Judged,
    Noted,
    Paused,
    Remeasured,
    Returned,
    TakesPart,
    Trained,
)
from tvnsearch.search.history import History
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.figures import ProgressKind, SearchProgress
from tvnsearch.search.progress.tally import Tally
from tvnsearch.search.records import Candidate, Verdict

TICK_EVERY_SECONDS = 5.0
"""How often the journal is told how late it is, for those who look on from other processes."""

OnProgress = Callable[[SearchProgress], None]


def ignore(_progress: SearchProgress) -> None:
    """What hears of a run that nobody watches."""


class Recorder:
    """Keeps the events of a run, has everything take them in, and tells them; ``clock`` counts seconds.

    ``history`` and ``tally`` come before whatever is given to :meth:`take_up`. The thread that made it
    records; any may :meth:`tell`.
    """

    def __init__(
        self, journal: Journal, on_progress: OnProgress = ignore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.history = History(journal.plan.budget.max_ms)
        self.tally = Tally(journal.plan, self.history)
        self._parts: tuple[TakesPart, ...] = (self.history, self.tally)
        self._journal = journal
        self._on_progress = on_progress
        self._clock = clock
        self._began = clock() - journal.elapsed_seconds
        self._ticked = clock()
        self._telling = threading.Lock()
        self._recorder = threading.get_ident()

    @property
    def elapsed_seconds(self) -> float:
        """The run's wall-clock time, over all processes that worked on it."""
        return self._clock() - self._began

    @property
    def is_out_of_time(self) -> bool:
        """Whether a training that begins now would, by the average, end too late."""
        return self.tally.is_out_of_time(self.elapsed_seconds)

    def take_up(self, *parts: TakesPart) -> None:
        """Take in all that has happened so far; ``parts`` do so too, and from now on."""
        self._parts += parts
        self._journal.replay(*self._parts)

    def record(self, event: Event) -> None:
        """Keep what has happened, have everything take it in, and tell it."""
        self._ticked = self._clock()
        self._journal.append(event, self.elapsed_seconds)
        said = [text for part in self._parts for text in part.apply(event)]
        if kind := _KINDS.get(type(event)):
            self.tell(kind, sentence_of(event), getattr(event, "number", None))
        for text in said:
            self.record(Noted(text))

    def note(self, text: str) -> None:
        """Keep and tell a sentence for people."""
        self.record(Noted(text))

    def tick(self) -> None:
        """Keep how late it is if that was some seconds ago; from any thread, of which one records."""
        is_due = self._clock() - self._ticked >= TICK_EVERY_SECONDS
        if is_due and self.tally.is_training and threading.get_ident() == self._recorder:
            self._ticked = self._clock()
            self._journal.tick(self.elapsed_seconds)

    def tell(
        self, kind: ProgressKind, text: str, number: int | None = None, training: dict[str, Any] | None = None
    ) -> None:
        """Tell a step, with how the whole stands; watchers hear one at a time."""
        with self._telling:
            figures = asdict(self.tally.figures(self.elapsed_seconds))
            self._on_progress(
                SearchProgress(kind=kind, text=text, number=number, training=training, **figures)
            )


_KINDS: dict[type[Any], ProgressKind] = {
    Judged: "judged",
    Remeasured: "judged",
    Begun: "training",
    Paused: "trained",
    Trained: "trained",
    Controlled: "trained",
    Failed: "failed",
    Returned: "noted",
    Noted: "noted",
}
"""The events that are told as they happen."""


def sentence_of(event: Event) -> str:
    """An event for people; empty where there is nothing to say."""
    text = ""
    match event:
        case Judged(measured=Candidate(verdict=Verdict(kind="undecided")) as candidate):
            text = f"candidate {candidate.number} is undecided: {candidate.verdict.reason}"
        case Remeasured(measured=candidate):
            decision = {"accepted": "accepted", "rejected_measured": "rejected"}
            decided = decision.get(candidate.verdict.kind, "undecided")
            text = f"candidate {candidate.number}, measured again, is {decided}"
        case Begun(from_scratch=True):
            text = f"training individual {event.number} from scratch, to compare"
        case Begun():
            text = f"training individual {event.number}"
        case Paused():
            text = f"individual {event.number} is paused, {event.fitness.value:.4g} is foretold for it"
        case Trained():
            text = f"individual {event.number} has fitness {event.fitness.value:.4g}"
        case Failed():
            text = f"individual {event.number} could not be trained: {event.reason}"
        case Returned():
            text = f"individual {event.number} waits to be trained again: {event.reason}"
        case Controlled(fitness=None):
            text = f"individual {event.number} could not be trained from scratch: {event.reason}"
        case Controlled():
            text = (
                f"individual {event.number} has fitness {event.fitness:.4g} from scratch, without inherited "
                "weights"
            )
        case Noted():
            text = event.text
        case _:
            pass
    return text
