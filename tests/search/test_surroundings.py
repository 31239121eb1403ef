"""Trainings that end for what is none of the networks' fault: tried again, and no plan is used up by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.search.fakes import (
    FakeFitness,
    FakeLatency,
    NoProcess,
    all_trained,
    in_process,
    make_plan,
)
from tvnsearch.errors import UserError
from tvnsearch.search import Fitness, Journal, SearchPlan, Winner, run_finalists, run_search
from tvnsearch.search.events import Controlled, FinalTrained, Returned
from tvnsearch.search.executors import Executor, ParallelExecutor, RemoteWorker
from tvnsearch.search.outcome.finalists import OnFinalist
from tvnsearch.search.protocols import TrainingProgress, TrainingRequest
from tvnsearch.search.trainings import patience
from tvnsearch.workers import EnvironmentFailedError


class Outage(FakeFitness):
    """Whose trainings find no room on the disk where ``is_out`` says so, by the individual and the try."""

    def __init__(self, is_out: Callable[[int, int], bool]) -> None:
        super().__init__(fails=False)
        self.is_out = is_out
        self.begun: list[int] = []

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        self.begun.append(request.number)
        if self.is_out(request.number, len(self.begun)):
            raise EnvironmentFailedError("OSError: [Errno 28] No space left on device")
        return super().__call__(worker, request, on_progress)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    # long enough for the next network to be judged meanwhile, also on a busy machine
    monkeypatch.setattr(patience, "PAUSES_SECONDS", (0.3, 0.3, 0.3))


def search(run: Path, fitness: Outage, plan: SearchPlan, executor: Executor | None = None) -> Winner | None:
    executor = executor or in_process()
    journal = Journal.open(run) if run.exists() else Journal.create(run, plan)
    with journal:
        try:
            return run_search(journal, FakeLatency(fails=False), fitness, executor, lambda event: None)
        finally:
            executor.shutdown()


def returned(run: Path) -> list[Returned]:
    with Journal.read(run) as journal:
        return [event for event in journal.events() if isinstance(event, Returned)]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_short_outage_costs_no_network(tmp_path: Path, workers: int) -> None:
    """Tries 5 and 6 of all find a full disk."""
    fitness = Outage(lambda number, tries: tries in (5, 6))
    executor = in_process() if workers == 1 else ParallelExecutor(NoProcess, workers)
    search(tmp_path / "run", fitness, make_plan(trainings=30), executor)
    with Journal.read(tmp_path / "run") as journal:
        history = journal.history()
    assert not history.failures
    assert len(history.individuals) == 30
    assert len(fitness.begun) == 32
    assert [event.number for event in returned(tmp_path / "run")] == fitness.begun[4:6]
    assert set(fitness.begun) == history.individuals.keys()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_disk_that_stays_full_ends_the_search_and_a_resumed_one_trains_all(
    tmp_path: Path, workers: int
) -> None:
    run, plan = tmp_path / "run", make_plan(trainings=30)
    full = Outage(lambda number, tries: tries > 10)
    executor = in_process() if workers == 1 else ParallelExecutor(NoProcess, workers)
    with pytest.raises(UserError, match=r"none of the networks' fault .*No space left.* resume .*nothing"):
        search(run, full, plan, executor)
    with Journal.read(run) as journal:
        assert not journal.history().failures
        before = all_trained(journal)
    assert len(before) == 10

    roomy = Outage(lambda number, tries: False)
    search(run, roomy, plan)
    with Journal.read(run) as journal:
        history = journal.history()
        assert all_trained(journal)[:10] == before
    assert len(history.individuals) == 30 and not history.failures
    assert not set(roomy.begun) & {one.number for one in before}
    assert {event.number for event in returned(run)} <= history.individuals.keys()


def test_what_ends_so_while_others_do_not_is_given_up(tmp_path: Path) -> None:
    fitness = Outage(lambda number, tries: number == fitness.begun[min(3, tries - 1)] and tries > 3)
    search(tmp_path / "run", fitness, make_plan(trainings=20))
    with Journal.read(tmp_path / "run") as journal:
        history = journal.history()
    [bad] = history.failures
    assert bad == fitness.begun[3]
    assert fitness.begun.count(bad) == patience.MOST_OF_ONE
    assert len(history.individuals) == 19


def test_the_last_network_is_given_up_if_another_can_be_trained(tmp_path: Path) -> None:
    """Nothing else is left that could end well meanwhile."""
    fitness = Outage(lambda number, tries: len(fitness.trained) >= 19 and number not in fitness.trained)
    assert search(tmp_path / "run", fitness, make_plan(trainings=20)) is not None
    with Journal.read(tmp_path / "run") as journal:
        history = journal.history()
    [bad] = history.failures
    assert len(history.individuals) == 19
    assert set(fitness.begun) == history.individuals.keys() | {bad}
    assert [line for line in history.lines if f"individual {bad} cannot be trained, and is the last" in line]
    assert not list((tmp_path / "run" / "controls").iterdir())


def test_the_last_network_is_not_given_up_if_nothing_can_be_trained(tmp_path: Path) -> None:
    run, plan = tmp_path / "run", make_plan(trainings=20)
    for last_to_work in (19, 0, 0):
        full = Outage(lambda number, tries, last=last_to_work: tries > last)
        with pytest.raises(UserError, match=r"none of the networks' fault .*No space left"):
            search(run, full, plan)
    roomy = Outage(lambda number, tries: False)
    assert search(run, roomy, plan) is not None
    with Journal.read(run) as journal:
        history = journal.history()
    assert not history.failures and len(history.individuals) == 20
    assert len(roomy.begun) == 1


def test_trainings_with_rungs_and_comparisons_go_on_as_well(tmp_path: Path) -> None:
    """Every fifth try fails, of whatever kind it is."""
    plan = make_plan(trainings=30, iterations=90, early_stopping=True, inherit=True)
    fitness = Outage(lambda number, tries: tries % 5 == 0)
    search(tmp_path / "run", fitness, plan)
    with Journal.read(tmp_path / "run") as journal:
        history, events = journal.history(), list(journal.events())
    assert len(history.individuals) == 30 and not history.failures
    assert not [event for event in events if isinstance(event, Controlled) and event.fitness is None]


def test_what_ends_so_in_the_middle_of_its_training_is_given_up_as_well(tmp_path: Path) -> None:
    """The first network that passes a rung never gets further, and one worker trains the others meanwhile."""

    def is_out(number: int, tries: int) -> bool:
        again = [one for place, one in enumerate(fitness.begun) if one in fitness.begun[:place]]
        return bool(again) and number == again[0]

    fitness = Outage(is_out)
    search(tmp_path / "run", fitness, make_plan(trainings=30, iterations=90, early_stopping=True))
    bad = {event.number for event in returned(tmp_path / "run")}
    with Journal.read(tmp_path / "run") as journal:
        history = journal.history()
    assert len(bad) == 1
    assert fitness.begun.count(*bad) == 1 + patience.MOST_OF_ONE
    assert bad <= history.ended and not bad & history.individuals.keys()
    assert len(history.individuals) == 29


def finals(run: Path, fitness: Outage, said: list[str], show: OnFinalist = lambda *_: None) -> list[int]:
    with Journal.open(run) as journal:
        latency = FakeLatency(fails=False)
        ranked = run_finalists(journal, latency, fitness, in_process(), 3, said.append, show)
    return [finalist.individual.number for finalist in ranked]


def test_finalists_are_tried_again(tmp_path: Path) -> None:
    run, said = tmp_path / "run", list[str]()
    search(run, Outage(lambda number, tries: False), make_plan(trainings=20))
    with pytest.raises(UserError, match="none of the networks' fault"):
        finals(run, Outage(lambda number, tries: True), said)
    assert len(finals(run, Outage(lambda number, tries: tries == 2), said)) == 3
    assert any("waits to be trained again: OSError" in line for line in said)
    with Journal.read(run) as journal:
        trained = [event for event in journal.events() if isinstance(event, FinalTrained)]
    assert len(trained) == 3 and all(event.fitness is not None for event in trained)


def test_the_last_finalist_is_given_up_if_another_network_can_be_trained(tmp_path: Path) -> None:
    """Alone it never finds room: it is not what all the others, which are trained by now, wait for."""
    run, said = tmp_path / "run", list[str]()
    search(run, Outage(lambda number, tries: False), make_plan(trainings=20))
    fitness, shown = Outage(lambda number, tries: tries > 2 and number == fitness.begun[2]), set[int]()
    ranked = finals(run, fitness, said, lambda number, share: shown.add(number))
    bad = fitness.begun[2]
    assert [line for line in said if f"individual {bad} cannot be trained, and is the last to be" in line]
    assert len(ranked) == 2 and bad not in ranked
    assert [line for line in said if f"individual {bad} drops out: it could not be trained (OSError" in line]
    assert shown == set(ranked)
    assert not list((run / "controls").iterdir())


def test_no_finalist_is_given_up_if_nothing_can_be_trained(tmp_path: Path) -> None:
    run, said = tmp_path / "run", list[str]()
    search(run, Outage(lambda number, tries: False), make_plan(trainings=20))
    for tries_that_work in (2, 0, 0):
        with pytest.raises(UserError, match=r"none of the networks' fault .*the same command goes on"):
            finals(run, Outage(lambda number, tries, work=tries_that_work: tries > work), said)
    assert len(finals(run, Outage(lambda number, tries: False), said)) == 3


def test_finalists_whose_folder_cannot_be_made_are_not_to_blame(tmp_path: Path) -> None:
    run = tmp_path / "run"
    search(run, Outage(lambda number, tries: False), make_plan(trainings=20))
    (run / "finalists").touch()
    with pytest.raises(UserError, match=r"none of the networks' fault \(FileExistsError"):
        finals(run, Outage(lambda number, tries: False), [])
