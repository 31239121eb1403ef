"""What a running search tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from tvnsearch.search.individual import VerdictKind

EventKind = Literal["started", "judged", "training", "trained", "failed", "noted", "finished"]


class Counts(Struct, frozen=True):
    """How many genomes a run has drawn, and what became of them."""

    sampled: int
    rejected_params: int
    rejected_gflops: int
    rejected_mb: int
    rejected_predicted: int
    rejected_elsewhere: int
    duplicates: int
    rejected_measured: int
    trained: int
    failed: int

    @property
    def rejected_counted(self) -> int:
        """How many counting alone rejected, before any prediction."""
        return self.rejected_params + self.rejected_gflops + self.rejected_mb


def counts_of(verdicts: Mapping[VerdictKind, int], trained: int, failed: int) -> Counts:
    """The counts of a run whose candidates met ``verdicts`` so often."""
    return Counts(
        sampled=sum(verdicts.values()),
        rejected_params=verdicts["rejected_params"],
        rejected_gflops=verdicts["rejected_gflops"],
        rejected_mb=verdicts["rejected_mb"],
        rejected_predicted=verdicts["rejected_predicted"],
        rejected_elsewhere=verdicts["rejected_elsewhere"],
        duplicates=verdicts["duplicate"],
        rejected_measured=verdicts["rejected_measured"],
        trained=trained,
        failed=failed,
    )


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
