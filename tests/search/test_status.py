from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.search.fakes import FakeFitness, FakeLatency, make_plan
from tvnsearch.errors import UserError
from tvnsearch.search import Journal, run_search, summarise


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    summary = summarise(tmp_path / "run")
    assert (summary.sampled, summary.trained, summary.hours) == (0, 0, 0.0)
    assert summary.winner is None
    assert summary.best_fitness is None


def test_a_finished_run_gives_the_fixed_keys(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan()) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), lambda event: None)
        counts = journal.verdict_counts()
        failed = len(journal.failures())
    assert winner is not None
    told = msgspec.to_builtins(summarise(run))
    assert told["run"] == str(run)
    assert told["sampled"] == sum(counts.values())
    assert told["rejected_params"] == counts["rejected_params"]
    assert told["rejected_predicted"] == counts["rejected_predicted"]
    assert told["rejected_measured"] == counts["rejected_measured"]
    assert told["trained"] == counts["accepted"] - failed
    assert told["hours"] > 0
    assert told["winner"]["genome"] == msgspec.to_builtins(winner.individual.genome)
    assert told["winner"]["latency_ms"] == winner.measurement.latency_ms
    assert told["winner"]["ci_high_ms"] <= make_plan().budget.max_ms
    assert {"ci_low_ms", "params", "macs", "fitness", "top1", "top5"} <= told["winner"].keys()


def test_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected the folder of a run at"):
        summarise(tmp_path)
