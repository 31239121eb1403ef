"""A run that is taken up again knows what the process knew that had it before: by the same calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tests.search.simulated import SimulatedExecutor
from tests.search.trainings.test_schedule import CrossingFitness, CurveFitness, HeirFitness, MisleadingFitness
from tvnsearch.search import Journal, SearchPlan, engine, run_search
from tvnsearch.search.candidates.judge import Judge
from tvnsearch.search.events import TakesPart
from tvnsearch.search.exchange import Exchange
from tvnsearch.search.progress.recorder import Recorder
from tvnsearch.search.strategies import AskTell, make_strategy
from tvnsearch.search.trainings.schedule import TrainingSchedule


class Known:
    """What takes part in a search, as it came to be: live, or from the journal."""

    def __init__(self, recorder: Recorder, parts: tuple[TakesPart, ...], latency: FakeLatency) -> None:
        self.history, self.tally, self.latency = recorder.history, recorder.tally, latency
        [self.strategy] = [part for part in parts if isinstance(part, AskTell)]
        [self.schedule] = [part for part in parts if isinstance(part, TrainingSchedule)]
        [self.judge] = [part for part in parts if isinstance(part, Judge)]


def taken_up(journal: Journal) -> Known:
    latency, recorder, plan = FakeLatency(), Recorder(journal), journal.plan
    strategy, schedule = make_strategy(plan), TrainingSchedule(plan, Exchange(journal.run, journal.run))
    judge = Judge(plan, recorder.history, strategy, latency, in_process(), schedule.predictor)
    recorder.take_up(strategy, schedule, judge)
    return Known(recorder, (strategy, schedule, judge), latency)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    ("changes", "fitness"),
    [
        ({}, FakeFitness),
        ({"strategy": "pareto"}, FakeFitness),
        ({"inherit": True, "trainings": 100}, MisleadingFitness),
        ({"early_stopping": True, "iterations": 90}, CurveFitness),
        ({"early_stopping": True, "iterations": 90, "inherit": True}, CrossingFitness),
        ({"fitness_predictor": True, "trainings": 40}, HeirFitness),
    ],
)
def test_a_run_that_is_taken_up_knows_what_was_known(
    changes: dict[str, object],
    fitness: type[FakeFitness],
    workers: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live: list[Known] = []
    latency = FakeLatency()

    class Watched(Recorder):
        def take_up(self, *parts: TakesPart) -> None:
            super().take_up(*parts)
            live.append(Known(self, parts, latency))

    monkeypatch.setattr(engine, "Recorder", Watched)
    plan: SearchPlan = make_plan(**changes)
    with Journal.create(tmp_path / "run", plan) as journal:
        executor = SimulatedExecutor(workers)
        run_search(journal, latency, fitness(), executor, lambda told: None, executor.clock)
        [before], after = live, taken_up(journal)
        seconds = journal.elapsed_seconds
    assert vars(after.history) == vars(before.history)
    assert after.tally.figures(seconds) == before.tally.figures(seconds)
    assert after.strategy.members == before.strategy.members
    assert (after.latency.learnt, after.latency.met_ms) == (latency.learnt, latency.met_ms)
    assert (after.judge.unmeasured, after.judge.is_exhausted) == (
        before.judge.unmeasured,
        before.judge.is_exhausted,
    )
    for schedule in (before.schedule, after.schedule):
        assert schedule.unfinished == 0
    assert list(after.schedule.needed) == list(before.schedule.needed)
    assert after.schedule.worth_promoting() == before.schedule.worth_promoting()
    assert after.schedule.next_control() == before.schedule.next_control()
    known = [
        predictor and predictor.kendall for predictor in (before.schedule.predictor, after.schedule.predictor)
    ]
    assert known[0] == known[1]
    last = list(before.history.accepted.values())[-1]
    assert after.schedule.control_request(last) == before.schedule.control_request(last)
