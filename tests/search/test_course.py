"""What trainings begin with, as those who train are asked."""

from __future__ import annotations

from pathlib import Path

from tests.search.fakes import FakeFitness, FakeLatency, decisions, in_process, make_plan
from tvnsearch.genome import Genome, genome_id
from tvnsearch.search import Fitness, Journal, SearchPlan, TrainingRequest, run_search, weights_path
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import TrainingProgress


class HeirFitness(FakeFitness):
    """Scores higher what begins with its parent's weights, and notes what it was asked for."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]
        self.requests: list[TrainingRequest] = []

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        self.requests.append(request)
        share = None
        if request.origin is not None:
            share = len(request.origin.weights.read_bytes()) / 100
        scored = super().__call__(worker, request, on_progress)
        return Fitness(scored.value + (share or 0), None, None, None, 0.5, 7, inherited_share=share)


def search(run: Path, plan: SearchPlan, fitness: FakeFitness) -> None:
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), fitness, in_process(), lambda event: None)


def test_children_are_given_their_parents_weights_if_asked_for(tmp_path: Path) -> None:
    fitness = HeirFitness(fails=False)
    search(tmp_path / "run", make_plan(inherit=True), fitness)
    with Journal.read(tmp_path / "run") as journal:
        known = {individual.number: individual for individual in journal.individuals()}
    children = [request for request in fitness.requests if request.parent is not None]
    assert len(children) == 60 - 12
    for request in children:
        assert request.parent is not None and request.origin is not None
        assert request.origin.genome == known[request.parent].genome
        assert request.origin.weights == weights_path(tmp_path / "run", request.parent)
    shares = [known[request.number].fitness.inherited_share for request in fitness.requests]
    assert [share is not None for share in shares] == [request in children for request in fitness.requests]


def test_children_begin_afresh_unless_asked_for(tmp_path: Path) -> None:
    fitness = HeirFitness(fails=False)
    search(tmp_path / "run", make_plan(), fitness)
    assert {request.origin for request in fitness.requests} == {None}


def test_a_child_whose_parents_weights_are_gone_begins_afresh(tmp_path: Path) -> None:
    class Losing(HeirFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            scored = super().__call__(worker, request, on_progress)
            request.weights.unlink()
            return scored

    fitness = Losing(fails=False)
    search(tmp_path / "run", make_plan(inherit=True), fitness)
    assert any(request.parent is not None for request in fitness.requests)
    assert {request.origin for request in fitness.requests} == {None}


def test_a_search_that_inherits_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    plan = make_plan(inherit=True)
    search(tmp_path / "whole", plan, HeirFitness())
    Journal.create(tmp_path / "stopped", plan).close()
    for stop in (3, 20, 31, None):
        begun: list[str] = []

        def hook(step: str, genome: Genome, stop: int | None = stop, begun: list[str] = begun) -> None:
            if step == "train" and len(begun) == stop:
                raise KeyboardInterrupt
            if step == "train":
                begun.append(genome_id(genome))

        with Journal.open(tmp_path / "stopped") as journal:
            try:
                fitness = HeirFitness(hook=hook)
                run_search(journal, FakeLatency(), fitness, in_process(), lambda event: None)
            except KeyboardInterrupt:
                assert stop is not None
    assert decisions(tmp_path / "stopped") == decisions(tmp_path / "whole")
