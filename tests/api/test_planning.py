"""How a search is planned from a few short trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.api.equipment import DATASET, Opened, PretendingTrainer, opened_run
from tests.search.fakes import FakeLatency, make_plan, true_ms
from tvnsearch.api import planning
from tvnsearch.api.evolve import evolve, resume
from tvnsearch.api.planning import TimedPlan, draft_plan, seconds_per_iteration, warn_of_long_plan
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.data.dataset import Clip
from tvnsearch.errors import UserError
from tvnsearch.search import Budget, Journal
from tvnsearch.search.executors import SerialExecutor
from tvnsearch.search.settings import settings_of

MAX_MS = 0.5


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(tmp_path, monkeypatch)


def test_fast_and_slow_networks_are_timed_and_scoring_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trainer = PretendingTrainer(seconds_per_iteration=0.5)
    plan = make_plan(budget=Budget(MAX_MS))
    with Journal.create(tmp_path / "run", plan) as journal:
        equipment = opened_run(journal, SerialExecutor(lambda: trainer)).equipment
    assert seconds_per_iteration(plan, equipment, SILENT) == 0.5
    latencies_ms = [true_ms(genome) for genome in trainer.trained]
    assert len(latencies_ms) == planning.TRIALS
    assert max(latencies_ms) > 1.2 * min(latencies_ms)
    assert max(latencies_ms) > 0.8 * MAX_MS


def test_what_few_minutes_do_not_bound_is_said_before_anything_is_opened(
    opened: Opened, tmp_path: Path
) -> None:
    said: list[str] = []
    evolve(run=tmp_path / "short", watch=Watch(said.append), **opened.options(minutes=0.2))
    assert said[0].startswith(
        "--minutes 0.2 bound the search and the longer training of its winner; to start"
    )
    assert "about 45 s more" in said[0]
    said.clear()
    evolve(run=tmp_path / "long", watch=Watch(said.append), **opened.options(minutes=60.0))
    evolve(run=tmp_path / "whole", watch=Watch(said.append), **opened.options())
    assert not any("bound the search" in line for line in said)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"strategy": "annealing"}, "expected a strategy"),
        ({"space": "tiny"}, "tiny"),
        ({"device": "tpu"}, "expected the device to be cpu or cuda"),
        ({"db": "nowhere.sqlite"}, "expected a latency database at /.*/nowhere.sqlite"),
        ({"data": "imagenet:/nowhere"}, "expected a format among"),
    ],
)
def test_mistakes_are_refused_before_anything_is_opened(
    opened: Opened, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        evolve(run=tmp_path / "run", **opened.options(**options))
    assert not opened.counts
    assert not (tmp_path / "run").exists()


def test_an_impossible_budget_is_refused_before_clips_are_decoded(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a budget that some network of this space keeps"):
        evolve(run=tmp_path / "run", **opened.options(max_ms=1e-6))
    assert opened.counts["meter"] == 1
    assert not opened.counts["decoded"]
    assert not (tmp_path / "run").exists()


def test_a_search_says_what_it_is_going_to_do_before_it_begins(opened: Opened, tmp_path: Path) -> None:
    said: list[str] = []
    evolve(run=tmp_path / "run", watch=Watch(say=said.append), **opened.options(minutes=0.01))
    first = said.index("timing a few short trainings to plan the search")
    assert said[first + 1] == (
        "plan: 8 networks trained for 100 iterations each, 1 at once, strategy tournament with a pool of 4: "
        "about 7 min here"
    )
    assert said[first + 2] == (
        "scaled to 0.01 minutes: 8 networks trained for 1 seconds each, a pool of 2; then the winner alone "
        "for 0.0 minutes"
    )


def test_where_scoring_would_cost_much_of_a_training_fewer_clips_are_scored_and_that_is_said(
    opened: Opened, tmp_path: Path
) -> None:
    clips = tuple(Clip(Path(f"{number}.mp4"), (number % 2,)) for number in range(5000))
    opened.dataset = replace(DATASET, validation=clips)
    said: list[str] = []
    evolve(run=tmp_path / "run", watch=Watch(said.append), **opened.options())
    assert any("on 1000 of the 5000 clips to select on, the same ones for all" in line for line in said)
    assert set(opened.trainer.scored[: planning.TRIALS]) == {(planning.TRIAL_VALIDATION_CLIPS, 0)}
    assert set(opened.trainer.scored[planning.TRIALS :]) == {(1000, 3)}
    opened.trainer.scored.clear()
    resume(tmp_path / "run", trainings="+1")
    assert set(opened.trainer.scored) == {(1000, 3)}
    said.clear()
    evolve(run=tmp_path / "long", watch=Watch(said.append), **opened.options(iterations=1000))
    assert any("2 at most, on the 5000 clips to select on" in line for line in said)


def timed(opened: Opened, seconds_per_iteration: float, **changes: Any) -> TimedPlan:
    plan = draft_plan(settings_of(opened.options(**changes)))
    return TimedPlan(plan, plan, seconds_per_iteration)


def test_hours_are_those_of_all_workers_and_no_more_than_the_users_minutes(opened: Opened) -> None:
    assert timed(opened, 4.5).hours == 1.0
    assert timed(opened, 4.5, workers=4).hours == 0.25
    short = evolve_plan(opened, seconds_per_iteration=4.5, minutes=20.0)
    assert short.hours == pytest.approx(20 * (planning.SEARCH_SHARE + planning.FINAL_SHARE) / 60)
    enough = evolve_plan(opened, seconds_per_iteration=4.5, minutes=200.0)
    assert enough.unscaled_hours == 1.0
    assert enough.hours == pytest.approx(1.0 + 200 * planning.FINAL_SHARE / 60)


def evolve_plan(opened: Opened, seconds_per_iteration: float, **changes: Any) -> TimedPlan:
    unscaled = draft_plan(settings_of(opened.options(**changes)))
    minutes = unscaled.search.minutes
    assert minutes is not None
    scaled = planning.scale_to_minutes(unscaled, minutes * planning.SEARCH_SHARE, seconds_per_iteration, 0.0)
    return TimedPlan(scaled, unscaled, seconds_per_iteration)


def test_a_search_of_more_than_a_day_is_said_with_the_ways_to_shorten_it(opened: Opened) -> None:
    said: list[str] = []
    warn_of_long_plan(timed(opened, 4.5 * 24), Watch(say=said.append))
    assert not said
    warn_of_long_plan(timed(opened, 4.5 * 100), Watch(say=said.append))
    assert said == [
        "this search takes more than a day, about 100 hours: shorten it by --minutes, by fewer --trainings, "
        "or by fewer --iterations"
    ]


def test_a_search_of_more_than_a_day_says_so_before_it_begins(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    opened.trainer = PretendingTrainer(seconds_per_iteration=1000.0)
    monkeypatch.setattr(FakeLatency, "measure", stop)
    with pytest.raises(KeyboardInterrupt):
        evolve(run=tmp_path / "run", watch=Watch(say=said.append), **opened.options())
    assert "more than a day, about 222 hours" in said[-2]


def stop(*arguments: object) -> None:
    raise KeyboardInterrupt
