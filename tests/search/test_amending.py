"""A search that is given more goes on as if it had been planned so, wherever it is stopped."""

from __future__ import annotations

from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.fakes import (
    FakeFitness,
    FakeLatency,
    SteppingFitness,
    all_trained,
    decisions,
    in_process,
    make_plan,
)
from tvnsearch.genome import Genome
from tvnsearch.search import Journal, SearchPlan, run_search
from tvnsearch.search.events import Amended, Paused, WinnerChosen
from tvnsearch.search.progress.recorder import Recorder

ACCELERATED = make_plan(trainings=30, iterations=90, early_stopping=True, fitness_predictor=True)


class StoppedError(Exception):
    pass


def give(run: Path, trainings: int) -> None:
    with Journal.open(run) as journal:
        Recorder(journal, clock=lambda: 0.0).record(Amended(trainings=trainings))


def go_on(run: Path, stops: int | None = None, accelerated: bool = False) -> bool:
    """Search until the plan is done, or until so many steps were done; whether it is done."""
    steps = 0

    def stop(step: str, genome: Genome) -> None:
        nonlocal steps
        steps += 1
        if steps == stops:
            raise StoppedError

    fitness = SteppingFitness(stop) if accelerated else FakeFitness(stop)
    with Journal.open(run) as journal:
        try:
            run_search(journal, FakeLatency(stop), fitness, in_process(), lambda event: None)
        except StoppedError:
            return False
    return True


def judged_and_trained(run: Path) -> list[Any]:
    """The decisions of a run, short of its plans and of who was the winner at their ends."""
    return [event for event in decisions(run) if not isinstance(event, Amended | WinnerChosen)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was planned so from the start."""
    run = tmp_path_factory.mktemp("whole") / "run"
    Journal.create(run, make_plan(trainings=45)).close()
    assert go_on(run)
    return run


@settings(max_examples=12, deadline=None)
@given(stops=st.lists(st.integers(1, 60), max_size=5), amended_after=st.integers(0, 5))
def test_a_search_that_is_given_more_decides_as_one_that_was_planned_so(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, stops: list[int], amended_after: int
) -> None:
    """Given in its middle or when it is finished, by a process that is stopped anywhere before and after."""
    run = tmp_path_factory.mktemp("amended") / "run"
    Journal.create(run, make_plan(trainings=15)).close()
    is_done = False
    for number, stop in enumerate(chain(stops, repeat(None))):
        if number == amended_after:
            give(run, 30)
            give(run, 45)
            is_done = False
        is_done = go_on(run, stop)
        if is_done and number >= amended_after:
            break
    assert judged_and_trained(run) == judged_and_trained(whole)
    with Journal.read(run) as one, Journal.read(whole) as other:
        assert one.history().winner == other.history().winner


def accelerated(run: Path, plan: SearchPlan, stops: list[int]) -> list[Any]:
    """The decisions of a search with paused trainings that is given more when it is finished."""
    Journal.create(run, plan).close()
    for more in (0, 20):
        if more:
            give(run, plan.search.trainings + more)
        for stop in stops:
            go_on(run, stop, accelerated=True)
        assert go_on(run, accelerated=True)
    return decisions(run)


@pytest.mark.parametrize("stops", [[150, 11, 90], pytest.param([7, 60], marks=pytest.mark.slow)])
def test_a_search_with_paused_trainings_that_is_given_more_decides_alike_wherever_it_is_stopped(
    tmp_path: Path, stops: list[int]
) -> None:
    undisturbed = accelerated(tmp_path / "undisturbed", ACCELERATED, [])
    assert any(isinstance(event, Paused) for event in undisturbed)
    assert accelerated(tmp_path / "stopped", ACCELERATED, stops) == undisturbed


def test_a_plan_that_is_cut_short_ends(tmp_path: Path) -> None:
    run = tmp_path / "run"
    Journal.create(run, make_plan(trainings=45)).close()
    assert not go_on(run, 40)
    with Journal.read(run) as journal:
        trained = len(all_trained(journal)) + len(journal.history().failures)
    give(run, trained)
    assert go_on(run)
    with Journal.read(run) as journal:
        history = journal.history()
        assert len(history.individuals) + len(history.failures) <= trained + 1  # what waited is trained
        assert history.winner is not None
