"""What the journal of a run says: its events, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tvnsearch.errors import UserError
from tvnsearch.search.events import Amended, Event, TakesPart
from tvnsearch.search.history import History
from tvnsearch.search.journal.file import JournalFile
from tvnsearch.search.plan import SearchPlan, amended

_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
ALL, AMENDMENTS = "", "WHERE kind = 'amended'"


class JournalReader(JournalFile):
    """The events of one run, as they were recorded."""

    @property
    def elapsed_seconds(self) -> float:
        """The wall-clock time used up to the latest record, over all processes that worked on the run."""
        with self._naming_errors():
            [seconds] = self._connection.execute("SELECT seconds FROM clock").fetchone()
        return float(seconds)

    @property
    def plan(self) -> SearchPlan:
        """What the run is going to do: the plan that it began with, and what was amended since.

        Raises:
            UserError: an amendment cannot be read.
        """
        plan = self._begun
        for _, event in self._events(AMENDMENTS):
            assert isinstance(event, Amended)
            plan = amended(plan, event)
        return plan

    def events(self) -> Iterator[Event]:
        """All events so far.

        Raises:
            UserError: one cannot be read.
        """
        return (event for _, event in self._events(ALL))

    def timed_events(self) -> Iterator[tuple[float, Event]]:
        """All events so far, each after the seconds of the run's wall-clock time at which it happened.

        Raises:
            UserError: one cannot be read.
        """
        return self._events(ALL)

    def _events(self, which: str) -> Iterator[tuple[float, Event]]:
        with self._naming_errors():
            rows = self._connection.execute(
                f"SELECT sequence, seconds, json FROM events {which} ORDER BY sequence"
            )
            for sequence, seconds, text in rows:
                try:
                    yield float(seconds), _DECODER.decode(text)
                except msgspec.DecodeError as error:
                    raise UserError(
                        f"expected the events of a search in {self.run}, but number {sequence} cannot be "
                        f"read ({error}); go on with the tvnsearch that wrote it, or begin a new run in "
                        "another folder"
                    ) from None

    def replay(self, *parts: TakesPart) -> None:
        """Have ``parts`` take in all events so far, one after the other, each in the order of the parts."""
        for event in self.events():
            for part in parts:
                part.apply(event)

    def history(self) -> History:
        """What has become of the run so far."""
        history = History(self.plan.budget.max_ms)
        self.replay(history)
        return history
