"""The journal of a run: every event, in one SQLite file, as it happens."""

from __future__ import annotations

from tvnsearch.json_text import json_of
from tvnsearch.search.events import PASSING, Event
from tvnsearch.search.journal.reader import JournalReader


class Journal(JournalReader):
    """The events of one run, append-only, each in a transaction of its own."""

    def append(self, event: Event, elapsed_seconds: float) -> None:
        """Add an event; ``elapsed_seconds`` is the run's time so far.

        When this returns it is on the disk, but for those that nothing is decided by.
        """
        self._write(
            elapsed_seconds,
            "INSERT INTO events (kind, number, seconds, json) VALUES (?, ?, ?, ?)",
            (
                event.__struct_config__.tag,
                getattr(event, "number", None),
                elapsed_seconds,
                json_of(event),
            ),
            durable=not isinstance(event, PASSING),
        )

    def tick(self, elapsed_seconds: float) -> None:
        """Note how late it is, for those who look on; a loss of power may lose it."""
        self._write(elapsed_seconds, durable=False)
