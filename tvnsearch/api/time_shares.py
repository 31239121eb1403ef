"""How the minutes that a user gives are shared out, and trainings that the clock ends."""

from __future__ import annotations

from tvnsearch.training.recipe import Recipe

SEARCH_SHARE, FINAL_SHARE = 0.55, 0.3
"""For the evolution, and for training its winner longer; the rest is for all else."""

ITERATIONS_WITHOUT_END = 1_000_000


def recipe_of_seconds(seconds: float, seed: int = 0) -> Recipe:
    """A training that ends after so many seconds, however many iterations that makes."""
    return Recipe(iterations=ITERATIONS_WITHOUT_END, max_seconds=seconds, seed=seed)
