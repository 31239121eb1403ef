"""What a running search tells whoever watches it."""

from __future__ import annotations

from typing import Any, Literal

from tvnsearch.search.progress.figures import Board

EventKind = Literal["started", "judged", "training", "trained", "failed", "noted", "finished"]


class SearchProgress(Board, frozen=True, kw_only=True):
    """One step of a search, with how the whole of it stands.

    ``text`` is a line for people, empty where there is nothing to say. ``number`` is the individual that the
    step is about; ``training`` holds what its training last reported.
    """

    kind: EventKind
    text: str
    number: int | None = None
    training: dict[str, Any] | None = None
