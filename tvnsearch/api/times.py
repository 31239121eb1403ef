"""Times: how a user's minutes are shared out, trainings that the clock ends, and times for people."""

from __future__ import annotations

from msgspec.structs import replace

from tvnsearch.devices.measurement import written_interval as written_interval  # noqa: PLC0414 - commands print it
from tvnsearch.training.recipe import Recipe

SEARCH_SHARE, FINAL_SHARE = 0.55, 0.3
"""For the evolution, and for training its winner longer; the rest is for all else."""

ITERATIONS_WITHOUT_END = 1_000_000


def recipe_of_seconds(seconds: float, seed: int = 0, recipe: Recipe | None = None) -> Recipe:
    """A training by ``recipe`` that ends after so many seconds, however many iterations that makes."""
    return replace(recipe or Recipe(), iterations=ITERATIONS_WITHOUT_END, max_seconds=seconds, seed=seed)


def written_time(seconds: float) -> str:
    """A time for people: 42 s, 12 min, 5.3 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def written_place(device: str, train_on: str) -> str:
    """Where a search takes its time, for people: here, and on what it trains unless it measures that."""
    return "here" if device == train_on else f"here, trained on {train_on} and measured on {device}"
