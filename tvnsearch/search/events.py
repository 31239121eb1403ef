"""What a running search tells whoever watches it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

EventKind = Literal["started", "judged", "training", "trained", "failed", "noted", "finished"]


class Counts(Struct, frozen=True):
    """How many genomes a run has drawn, and what became of them."""

    sampled: int
    rejected_params: int
    rejected_predicted: int
    duplicates: int
    rejected_measured: int
    trained: int
    failed: int


class SearchEvent(Struct, frozen=True):
    """One step of a search, with how the whole of it stands.

    ``text`` is a line for people, empty where there is nothing to say. ``number`` is the individual that the
    step is about; ``training`` holds what its training last reported. ``eta_seconds`` is None until the run
    has trained something.
    """

    kind: EventKind
    text: str
    counts: Counts
    trainings: int
    best_fitness: float | None
    elapsed_seconds: float
    eta_seconds: float | None
    number: int | None = None
    training: dict[str, Any] | None = None
