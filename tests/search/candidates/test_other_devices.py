"""A budget of several devices, of which one is measured: judged, kept, shown and picked by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.search.fakes import FakeFitness, FakeLatency, all_trained, in_process, make_plan, true_ms
from tvnsearch.errors import UserError
from tvnsearch.search import Budget, Journal, pick, run_search, summarise


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("elsewhere") / "run"
    plan = make_plan(budget=Budget(2.0, 100_000, others_max_ms={"phone": 6.0}))
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


def test_what_is_trained_keeps_the_budget_on_both_devices(run: Path) -> None:
    with Journal.read(run) as journal:
        individuals = all_trained(journal)
        rejected = journal.history().verdicts["rejected_on_others"]
    assert rejected > 0
    assert len(individuals) > 40
    for individual in individuals:
        assert individual.measurement.ci_high_ms <= 2.0
        assert individual.on_others["phone"].upper_ms == pytest.approx(1.25 * 5 * true_ms(individual.genome))
        assert individual.on_others["phone"].upper_ms <= 6.0


def test_predictions_for_other_devices_are_shown_as_such(run: Path) -> None:
    told = msgspec.to_builtins(summarise(run))
    assert told["rejected_on_others"] > 0
    predicted = told["winner"]["predicted_on_others"]["phone"]
    assert predicted["lower_ms"] < predicted["latency_ms"] < predicted["upper_ms"] <= 6.0


def test_another_budget_of_both_devices_is_picked_by(run: Path) -> None:
    loose = pick(run, Budget(2.0))
    tight = pick(run, Budget(2.0, others_max_ms={"phone": 4.0}))
    assert tight.keeping < loose.keeping
    assert tight.picked.predicted_on_others["phone"].upper_ms <= 4.0
    with pytest.raises(UserError, match=r"keeps --max-ms 2 and --max-ms phone=0\.01 among"):
        pick(run, Budget(2.0, others_max_ms={"phone": 0.01}))
    with pytest.raises(UserError, match=r"predicted latencies for \(phone\), but got tablet; search"):
        pick(run, Budget(2.0, others_max_ms={"tablet": 5.0}))


def test_a_budget_that_is_impossible_elsewhere_is_refused(tmp_path: Path) -> None:
    plan = make_plan(budget=Budget(2.0, others_max_ms={"phone": 0.01}))
    with (
        Journal.create(tmp_path / "run", plan) as journal,
        pytest.raises(UserError, match=r"got --max-ms phone=0\.01 and the smallest network found"),
    ):
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="got 0; give a larger --max-ms phone="):
        Budget(2.0, others_max_ms={"phone": 0})
