"""Another budget, as Python asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.api.pick import pick
from tvnsearch.errors import UserError
from tvnsearch.search import Budget, Journal, run_search
from tvnsearch.search.outcome.rebudget import pick as pick_within


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    with Journal.create(run, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


def test_a_budget_is_said_in_keywords(run: Path) -> None:
    answer = pick(str(run), max_ms=1.5, max_params=80_000)
    assert answer == pick_within(run, Budget(1.5, 80_000))
    assert answer.picked.params <= 80_000


def test_other_devices_are_those_that_the_run_predicted_for(run: Path) -> None:
    with pytest.raises(UserError, match=r"expected devices that the run .* but got nvidia-h200"):
        pick(run, max_ms=1.5, others_max_ms={"nvidia-h200": 10.0})
