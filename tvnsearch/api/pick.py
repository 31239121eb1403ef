"""Another budget, answered from what a run knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tvnsearch.search.budget import Budget
from tvnsearch.search.outcome.rebudget import Pick
from tvnsearch.search.outcome.rebudget import pick as pick_within


def pick(
    run: str | Path,
    *,
    max_ms: float,
    max_params: int | None = None,
    max_gflops: float | None = None,
    max_mb: float | None = None,
    others_max_ms: Mapping[str, float] | None = None,
) -> Pick:
    """Pick the fittest trained network of ``run`` that keeps another budget, as it was really measured.

    On devices of ``others_max_ms`` it is predicted to keep it, as the search predicted.

    Raises:
        UserError: none keeps it, or there is no run that this version can read.
    """
    budget = Budget(max_ms, max_params, max_gflops, max_mb, others_max_ms=dict(others_max_ms or {}))
    return pick_within(Path(run), budget)
