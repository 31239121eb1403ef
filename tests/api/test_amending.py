"""More of a run: what amounts come to, and a finished run that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.api.equipment import Opened
from tests.search.fakes import make_plan
from tvnsearch.api.amending import Changes, amendment
from tvnsearch.api.evolve import evolve, resume
from tvnsearch.api.status import status
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.search import Journal, SearchPlan
from tvnsearch.search.plan import amended
from tvnsearch.search.settings import changed


def scaled(trainings: int = 30, asked: int = 100) -> SearchPlan:
    """A plan of a user's 40 minutes, 22 of them to search; fewer trainings than were asked for fit in."""
    plan = replace(
        make_plan(trainings=trainings, minutes=22.0), seconds_per_training=40.0, winner_minutes=12.0
    )
    return replace(plan, asked=changed(plan.asked, trainings=asked, minutes=40.0))


@pytest.mark.parametrize(
    ("changes", "trainings", "minutes", "winner_minutes"),
    [
        ({"minutes": "+40"}, 60, 44.0, 24.0),
        ({"minutes": "80"}, 60, 44.0, 24.0),
        ({"minutes": 80}, 60, 44.0, 24.0),
        ({"minutes": "+400"}, 100, 242.0, 132.0),
        ({"minutes": "+400", "trainings": "2000"}, 2000, 242.0, 132.0),
        ({"minutes": 20}, 15, 11.0, 6.0),
        ({"trainings": "+5"}, 35, 22.0, 12.0),
        ({"trainings": 500}, 500, 22.0, 12.0),
        ({}, 30, 22.0, 12.0),
    ],
)
def test_more_minutes_are_more_trainings_of_the_same_length(
    changes: dict[str, Any], trainings: int, minutes: float, winner_minutes: float
) -> None:
    begun = scaled()
    plan = amended(begun, amendment(begun, Changes(**changes)))
    assert (plan.search.trainings, plan.seconds_per_training) == (trainings, 40.0)
    assert plan.search.minutes == pytest.approx(minutes)
    assert plan.winner_minutes == pytest.approx(winner_minutes)
    assert (plan.asked, plan.search.population) == (begun.asked, begun.search.population)


def test_minutes_that_are_added_twice_are_those_added_at_once() -> None:
    plan = scaled()
    for _ in range(2):
        plan = amended(plan, amendment(plan, Changes(minutes="+20")))
    assert (plan.search.trainings, plan.search.minutes) == (60, pytest.approx(44.0))


def test_a_run_of_whole_trainings_gets_an_end_in_time_and_as_many_trainings() -> None:
    begun = make_plan(trainings=50)
    plan = amended(begun, amendment(begun, Changes(minutes=100)))
    assert (plan.search.trainings, plan.search.minutes) == (50, pytest.approx(55.0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"minutes": "+1h"}, r"expected --minutes over 0, as 60 in all or \+60 .*, but got \+1h"),
        ({"minutes": "-5"}, "expected --minutes over 0"),
        ({"minutes": "inf"}, "expected --minutes over 0"),
        ({"minutes": "+5"}, r"an end in time that --minutes \+5 could be added to, .* as --minutes 5,"),
        ({"trainings": "+0"}, r"expected --trainings of 1 or more, .* but got \+0"),
        ({"trainings": "many"}, "expected --trainings of 1 or more, .* but got many"),
    ],
)
def test_an_amount_that_is_none_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        amendment(make_plan(), Changes(**changes))


def test_a_finished_run_says_so_and_goes_on_when_it_is_given_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, run = Opened(tmp_path, monkeypatch), tmp_path / "run"
    said: list[str] = []
    watch = Watch(said.append)
    evolve(run=run, watch=watch, **opened.options())
    assert f"the run is in {run}; if it is interrupted, `tvnsearch resume {run}` goes on with it" in said
    before = status(run)

    said.clear()
    resume(run, watch=watch)
    assert said == [
        f"the run {run} is finished, with {before.trained} of 8 networks trained; more of it is had by "
        f"`tvnsearch resume {run} --trainings +100`",
        *said[1:],
    ]

    said.clear()
    more = resume(run, trainings="+6", watch=watch)
    assert "14 networks in all, 8 before" in said
    assert not any("finished" in line for line in said)
    assert (more.trainings, more.trained + more.failed) == (14, 14)
    assert more.winner is not None

    assert evolve(run=run, **opened.options()).trained == more.trained, "the command that began it"
    with Journal.read(run) as journal:
        assert (journal.plan.search.trainings, journal.plan.asked.search.trainings) == (14, 8)


def test_more_minutes_are_said_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, run = Opened(tmp_path, monkeypatch), tmp_path / "run"
    evolve(run=run, **opened.options(minutes=10.0))
    said: list[str] = []
    resume(run, minutes="+10", trainings=9, watch=Watch(said.append))
    assert "9 networks in all, 8 before" in said
    assert (
        "20 minutes in all, 10 before: 11 to search, then 6 for the winner alone if it is another one" in said
    )
    with pytest.raises(UserError, match=r"minutes was 10 and is 20; change that by .* --minutes 20`"):
        evolve(run=run, **opened.options(minutes=20.0))


def test_an_amendment_that_is_no_good_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, run = Opened(tmp_path, monkeypatch), tmp_path / "run"
    evolve(run=run, **opened.options())
    opened.counts.clear()
    with pytest.raises(UserError, match="--trainings of 1 or more"):
        resume(run, trainings="+x")
    assert not opened.counts
