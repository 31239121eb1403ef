"""What the winner of a run uses of its budget, and which limits made no difference."""

from __future__ import annotations

from tvnsearch.genome.trace import trace
from tvnsearch.search.budget import Budget, gflops, weights_mb
from tvnsearch.search.progress.figures import Counts
from tvnsearch.search.progress.status import NetworkSummary


def shares_used(winner: NetworkSummary, budget: Budget, classes: int) -> dict[str, float]:
    """The share of each limit that the winner takes, 0 to 1, by the name of the limit.

    Milliseconds are those that were measured on the device that is searched for.
    """
    traced = trace(winner.genome, classes)
    limits = {
        "max_ms": (winner.latency_ms, budget.max_ms),
        "max_params": (winner.params, budget.max_params),
        "max_gflops": (gflops(traced), budget.max_gflops),
        "max_mb": (weights_mb(traced, budget.precision), budget.max_mb),
    }
    return {name: cost / limit for name, (cost, limit) in limits.items() if limit is not None}


def limits_that_did_not_bind(budget: Budget, counts: Counts) -> tuple[str, ...]:
    """The limits that were given and rejected no genome: without them the search would have been the same.

    None as long as nothing was sampled.
    """
    rejected = {
        "max_ms": counts.rejected_predicted + counts.rejected_measured + counts.undecided,
        "max_params": counts.rejected_params,
        "max_gflops": counts.rejected_gflops,
        "max_mb": counts.rejected_mb,
    }
    return tuple(
        name
        for name, number in rejected.items()
        if counts.sampled and not number and getattr(budget, name) is not None
    )
