"""What a search does with a fitness predictor: which children it has judged."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.search.fakes import CLASSES, FakeFitness, FakeLatency, all_trained, fitness, in_process, make_plan
from tvnsearch.genome import trace
from tvnsearch.search import Fitness, Journal, SearchPlan, TrainingRequest, run_search
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.settings import changed
from tvnsearch.search.trainings.fitness_predictor import FEWEST_KNOWN

Point = tuple[float, float, float]

PLAN = make_plan(trainings=50, strategy="ageing", population=10, fitness_predictor=True)


class SizeFitness(FakeFitness):
    """Grows with the parameters: easily foretold."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        super().__call__(worker, request, on_progress)
        return fitness(self.value(request))

    def value(self, request: TrainingRequest) -> float:
        return math.log(trace(request.genome, CLASSES).params)


class Noise(SizeFitness):
    def value(self, request: TrainingRequest) -> float:
        return random.Random(request.seed).random()


def mean_child(run: Path, plan: SearchPlan, seed: int) -> float:
    with Journal.create(run, changed(plan, seed=seed)) as journal:
        trainer = SizeFitness(fails=False)
        run_search(journal, FakeLatency(), trainer, in_process(), lambda event: None)
        values = [one.fitness.value for one in all_trained(journal) if one.parent is not None]
        assert all(one.params <= plan.budget.max_params for one in all_trained(journal))  # type: ignore[operator]
    return sum(values) / len(values)


def test_the_children_that_are_trained_are_fitter(tmp_path: Path) -> None:
    with_it = mean_child(tmp_path / "with", PLAN, seed=1)
    without = mean_child(tmp_path / "without", changed(PLAN, fitness_predictor=False), seed=1)
    assert with_it > without


class DepthFitness(SizeFitness):
    """Grows with the kinds of layers and with size, by less and less."""

    def value(self, request: TrainingRequest) -> float:
        traced = trace(request.genome, CLASSES)
        return math.sqrt(len({(call.type, call.kernel) for call in traced.calls}) + math.log(traced.params))


def found_by(run: Path, **changes: Any) -> list[Point]:
    """Fitness, latency and parameters of all that a search by fronts has trained, each to be low."""
    plan = make_plan(strategy="pareto", trainings=28, population=10, **changes)
    with Journal.create(run, plan) as journal:
        trainer = DepthFitness(fails=False)
        run_search(journal, FakeLatency(), trainer, in_process(), lambda event: None)
        return [
            (-one.fitness.value, math.log(one.measurement.latency_ms), math.log(one.params))
            for one in all_trained(journal)
        ]


def dominated_share(points: list[Point], box: list[Point]) -> float:
    """The share of places drawn in the volume that ``box`` extends over which one of ``points`` dominates."""
    rng, drawn = random.Random(0), 4000
    sides = [(min(axis), max(axis)) for axis in zip(*box, strict=True)]
    places = [tuple(rng.uniform(low, high) for low, high in sides) for _ in range(drawn)]
    dominated = [
        any(all(mine <= its for mine, its in zip(point, place, strict=True)) for point in points)
        for place in places
    ]
    return sum(dominated) / drawn


def test_with_pareto_the_children_that_are_trained_make_a_better_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better than without choosing, and than choosing by fitness alone."""
    without = found_by(tmp_path / "without")
    with_it = found_by(tmp_path / "with", fitness_predictor=True)
    monkeypatch.setattr("tvnsearch.search.candidates.child_choice.WITH_COSTS", ())
    by_fitness = found_by(tmp_path / "by-fitness", fitness_predictor=True)
    box = without + with_it + by_fitness
    assert dominated_share(with_it, box) > dominated_share(without, box)
    assert dominated_share(with_it, box) > dominated_share(by_fitness, box)


def test_all_but_the_first_are_held_against_what_was_predicted(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run", PLAN) as journal:
        run_search(journal, FakeLatency(), SizeFitness(fails=False), in_process(), lambda event: None)
        accepted = [one for one in journal.history().measured if one.verdict.kind == "accepted"]
    predicted = [one.predicted_fitness is not None for one in accepted]
    assert predicted == [False] * FEWEST_KNOWN + [True] * (len(accepted) - FEWEST_KNOWN)


def test_the_pool_is_filled_with_children_of_its_fittest_too(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run", PLAN) as journal:
        run_search(journal, FakeLatency(), SizeFitness(fails=False), in_process(), lambda event: None)
        pool = all_trained(journal)[FEWEST_KNOWN : PLAN.search.population]
    assert any(one.parent is not None for one in pool)


def test_a_predictor_that_misleads_is_left_out_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvnsearch.search.trainings.rank_watch.MISLEADING_ERRORS", -9.0)
    with Journal.create(tmp_path / "run", PLAN) as journal:
        run_search(journal, FakeLatency(), Noise(fails=False), in_process(), lambda event: None)
        assert sum("the fitness predictor is switched off" in line for line in journal.history().lines) == 1
        accepted = [one for one in journal.history().measured if one.verdict.kind == "accepted"]
    assert accepted[-1].predicted_fitness is None
