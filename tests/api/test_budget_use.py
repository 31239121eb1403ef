"""What a winner uses of its budget, and which limits made no difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.fakes import CLASSES, FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.api.status import RunReport, status
from tvnsearch.genome import trace
from tvnsearch.search import Budget, Journal, run_search


def searched(folder: Path, budget: Budget) -> RunReport:
    with Journal.create(folder, make_plan(trainings=15, budget=budget)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return status(folder)


def test_the_winner_uses_a_share_of_each_limit_that_was_given(tmp_path: Path) -> None:
    report = searched(tmp_path, Budget(2.0, 100_000, 4.0))
    assert report.winner is not None and report.budget_used is not None
    traced = trace(report.winner.genome, CLASSES)
    assert report.budget_used == pytest.approx(
        {
            "max_ms": report.winner.latency_ms / 2.0,
            "max_params": traced.params / 100_000,
            "max_gflops": 2 * traced.macs / 4e9,
        }
    )
    assert max(report.budget_used.values()) <= 1


def test_limits_that_rejected_nothing_did_not_bind(tmp_path: Path) -> None:
    report = searched(tmp_path / "wide", Budget(2.0, 10**12, 4.0, 10**6))
    assert report.rejected_predicted > 0 == report.rejected_params
    assert "max_ms" not in report.not_binding
    assert {"max_params", "max_mb"} <= {*report.not_binding}
    assert searched(tmp_path / "tight", Budget(0.5, 10_000)).not_binding == ()
    Journal.create(tmp_path / "new", make_plan()).close()
    begun = status(tmp_path / "new")
    assert (begun.not_binding, begun.budget_used) == ((), None)
