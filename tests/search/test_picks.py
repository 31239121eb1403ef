"""All answers of `pick` at once are those that it gives one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.fakes import FakeFitness, FakeLatency, ShakyLatency, in_process, make_plan
from tvnsearch.errors import UserError
from tvnsearch.search import Budget, Journal, pick, run_search
from tvnsearch.search.outcome.picks import picks_by_budget
from tvnsearch.search.outcome.rebudget import best_known


@pytest.mark.parametrize("latency", [FakeLatency, ShakyLatency])
def test_they_are_what_pick_answers_just_below_at_and_between(
    latency: type[FakeLatency], tmp_path: Path
) -> None:
    with Journal.create(tmp_path, make_plan(trainings=20)) as journal:
        run_search(journal, latency(), FakeFitness(), in_process(), lambda event: None)
        picks = picks_by_budget(best_known(journal.history()))
    assert len(picks) > 2
    asked_ms = [ms * share for ms in (pick.from_ms for pick in picks) for share in (0.9999, 1.0, 1.01)]
    for max_ms in [*asked_ms, 100.0]:
        stairs = [one for one in picks if one.from_ms <= max_ms]
        if not stairs:
            with pytest.raises(UserError, match="none does"):
                pick(tmp_path, Budget(max_ms))
            continue
        answer = pick(tmp_path, Budget(max_ms))
        assert (stairs[-1].number, stairs[-1].promised) == (answer.picked.number, answer.promised)
