"""How trainings begin and end, as those who train are asked."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from tests.search.fakes import (
    STEPS,
    FakeFitness,
    FakeLatency,
    SteppingFitness,
    all_trained,
    decisions,
    in_process,
    make_plan,
    measurement,
    pending,
)
from tests.search.simulated import SimulatedExecutor
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id
from tvnsearch.search import (
    Fitness,
    Journal,
    SearchPlan,
    TrainingFailed,
    TrainingRequest,
    run_search,
    summarise,
    weights_path,
)
from tvnsearch.search.events import Paused, Promoted, RungPassed, Trained
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.settings import changed
from tvnsearch.search.strategies import make_strategy
from tvnsearch.search.strategies.fronts import Fronts
from tvnsearch.search.trainings.early_stopping import MOST_PAUSED
from tvnsearch.workers import WorkerDiedError


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


def parted(requests: list[TrainingRequest]) -> tuple[list[TrainingRequest], list[TrainingRequest]]:
    """The trainings of the plan, and those from scratch that they are compared with."""
    controls = [request for request in requests if request.weights.parents[1].name == "controls"]
    return [request for request in requests if request not in controls], controls


def search(run: Path, plan: SearchPlan, fitness: FakeFitness) -> None:
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), fitness, in_process(), lambda event: None)


def test_children_are_given_their_parents_weights_if_asked_for(tmp_path: Path) -> None:
    fitness = HeirFitness(fails=False)
    search(tmp_path / "run", make_plan(inherit=True), fitness)
    with Journal.read(tmp_path / "run") as journal:
        known = {individual.number: individual for individual in all_trained(journal)}
    planned, _ = parted(fitness.requests)
    children = [request for request in planned if request.parent is not None]
    assert len(children) == 60 - 12
    for request in children:
        assert request.parent is not None and request.origin is not None
        assert request.origin.genome == known[request.parent].genome
        assert request.origin.weights == weights_path(tmp_path / "run", request.parent)
    shares = [known[request.number].fitness.inherited_share for request in planned]
    assert [share is not None for share in shares] == [request in children for request in planned]


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


class MisleadingFitness(HeirFitness):
    """The better it is with inherited weights, the worse from scratch."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        scored = super().__call__(worker, request, on_progress)
        value = Random(genome_id(request.genome)).random()
        return replace(scored, value=value if scored.inherited_share is None else -value)


HEIRS = make_plan(inherit=True, trainings=120)


def test_one_heir_in_eight_is_trained_from_scratch_as_well_beside_the_plan(tmp_path: Path) -> None:
    fitness, run = HeirFitness(fails=False), tmp_path / "run"
    search(run, HEIRS, fitness)
    planned, controls = parted(fitness.requests)
    heirs = [request for request in planned if request.origin is not None]
    assert len(planned) == 120
    assert [control.number for control in controls] == [heir.number for heir in heirs[::8]]
    assert {(control.origin, control.until_share) for control in controls} == {(None, 1.0)}
    with Journal.read(run) as journal:
        known = {one.number: one for one in all_trained(journal)}
        found = journal.history().controls
        assert not any("inheriting" in line for line in journal.history().lines)
    assert found.keys() == {control.number for control in controls}
    assert all(known[number].fitness.inherited_share is not None for number in found)
    assert summarise(run).trained == 120
    assert not list((run / "controls").iterdir())


def test_inheriting_that_misleads_is_left_out_from_then_on_and_the_log_says_so(tmp_path: Path) -> None:
    fitness = MisleadingFitness(fails=False)
    search(tmp_path / "run", HEIRS, fitness)
    _, controls = parted(fitness.requests)
    with Journal.read(tmp_path / "run") as journal:
        [said] = [line for line in journal.history().lines if "inheriting weights is switched off" in line]
    assert "over the latest 8 networks" in said
    assert len(controls) == 8
    switched_off = fitness.requests.index(controls[-1])
    assert any(request.parent is not None for request in fitness.requests[switched_off:])
    assert {request.origin for request in fitness.requests[switched_off:]} == {None}


def test_several_workers_compare_with_trainings_from_scratch_as_well(tmp_path: Path) -> None:
    executor, fitness = SimulatedExecutor(workers=5), HeirFitness()
    with Journal.create(tmp_path / "run", HEIRS) as journal:
        run_search(journal, FakeLatency(), fitness, executor, lambda event: None, executor.clock)
        assert len(all_trained(journal)) + len(journal.history().failures) == 120
        assert journal.history().controls
    planned, controls = parted(fitness.requests)
    assert len(planned) == 120
    assert {control.number for control in controls} < {request.number for request in planned}


class CurveFitness(HeirFitness):
    """Rises along the training, for all networks alike, or the other way round at the very end."""

    crossing = False

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        whole = super().__call__(worker, request, on_progress)
        sign = -1 if self.crossing and request.until_share == 1 else 1
        value = sign * whole.value * request.until_share
        return replace(whole, value=value, seconds=request.until_share)


class CrossingFitness(CurveFitness):
    crossing = True


class LateFitness(HeirFitness):
    """Is at the end what it was at the rung; of later ones every other comes out better."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        whole = super().__call__(worker, request, on_progress)
        late = request.number % 2 if request.until_share == 1 and request.number > 100 else 0
        return replace(whole, value=whole.value + late, seconds=request.until_share)


EARLY = make_plan(early_stopping=True, iterations=90)
FRONT = changed(EARLY, strategy="pareto", trainings=90)


def points_of(run: Path) -> dict[int, list[str]]:
    with Journal.read(run) as journal:
        kinds: dict[int, list[str]] = {}
        for event in journal.events():
            if isinstance(event, RungPassed | Paused | Promoted | Trained):
                kinds.setdefault(event.number, []).append(type(event).__name__)
    return kinds


def test_trainings_without_prospects_are_paused_and_have_the_fitness_that_is_foretold(tmp_path: Path) -> None:
    fitness = CurveFitness(fails=False)
    search(tmp_path / "run", EARLY, fitness)
    asked: dict[int, list[float]] = {}
    for request in fitness.requests:
        asked.setdefault(request.number, []).append(request.until_share)
    assert {tuple(shares) for shares in asked.values()} == {(0.6,), (0.6, 1.0)}
    with Journal.read(tmp_path / "run") as journal:
        individuals = all_trained(journal)
    best = max(one.fitness.value for one in individuals if not one.fitness.stopped)
    errors = []
    for one in individuals:
        assert one.fitness.stopped == (asked[one.number] == [0.6])
        assert one.fitness.seconds == asked[one.number][-1]
        if one.fitness.stopped:
            assert one.fitness.reached is not None
            errors.append(abs(one.fitness.value / (one.fitness.reached / 0.6) - 1))
            assert one.fitness.value < best
    # What was foretold early, of few, may be far off; of any seed all but a few are close.
    assert statistics.median(errors) < 0.05
    assert sum(error > 0.2 for error in errors) <= len(errors) / 10
    summary = summarise(tmp_path / "run")
    assert summary.trained == 60
    assert 5 < summary.stopped == sum(one.fitness.stopped for one in individuals)


def test_with_a_front_nothing_is_paused_that_would_have_been_on_it(tmp_path: Path) -> None:
    """Curves rise alike, so what a paused one would have come to is known."""
    search(tmp_path / "run", FRONT, CurveFitness(fails=False))
    with Journal.read(tmp_path / "run") as journal:
        individuals = {one.number: one for one in all_trained(journal)}
    fronts = Fronts()
    for one in individuals.values():
        reached = one.fitness.reached
        whole = one.fitness.value if reached is None else reached / 0.6
        fronts.add(replace(one, fitness=replace(one.fitness, value=whole)))
    front = [individuals[number] for number in fronts.fronts[0]]
    assert len(front) > 5
    assert not any(one.fitness.stopped for one in front)
    assert sum(one.fitness.stopped for one in individuals.values()) > 5


def test_what_is_paused_goes_on_when_it_may_be_the_best_after_all(tmp_path: Path) -> None:
    fitness = LateFitness(fails=False)
    search(tmp_path / "run", changed(EARLY, trainings=90), fitness)
    promoted = {number: kinds for number, kinds in points_of(tmp_path / "run").items() if "Promoted" in kinds}
    assert promoted
    assert set(map(tuple, promoted.values())) == {("Paused", "Promoted", "Trained")}
    asked = [(request.number, request.until_share) for request in fitness.requests]
    assert len(asked) == len(set(asked))
    with Journal.read(tmp_path / "run") as journal:
        individuals = {one.number: one for one in all_trained(journal)}
        told = [event for event in journal.events() if isinstance(event, Paused | Trained)]
    assert len(told) == len(individuals) + len(promoted)
    assert not any(individuals[number].fitness.stopped for number in promoted)
    assert summarise(tmp_path / "run").trained == len(individuals) == 90


def test_checkpoints_stay_as_long_as_a_training_may_go_on(tmp_path: Path) -> None:
    class Leaving(CurveFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            request.checkpoints.mkdir(parents=True, exist_ok=True)
            return super().__call__(worker, request, on_progress)

    search(tmp_path / "run", EARLY, Leaving(fails=False))
    left = {int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir()}
    paused = {number for number, kinds in points_of(tmp_path / "run").items() if kinds[-1] == "Paused"}
    assert left <= paused
    assert len(left) == min(MOST_PAUSED, len(paused))


@pytest.mark.parametrize("plan", [make_plan(trainings=8), changed(EARLY, trainings=20, inherit=True)])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, WorkerDiedError])
def test_a_training_that_was_cut_off_goes_on_where_it_was(
    tmp_path: Path, plan: SearchPlan, failure: type[BaseException]
) -> None:
    """Whether the whole search was stopped, or only its worker died."""
    run, cut_off, steps = tmp_path / "run", list[int](), 0

    def hook(step: str, genome: Genome) -> None:
        nonlocal steps
        steps += 1
        if steps % 14 == 0:
            cut_off.append(steps)
            raise failure("in the middle")

    trainer = SteppingFitness(hook)
    Journal.create(run, plan).close()
    winner = None
    while winner is None:
        with Journal.open(run) as journal, suppress(KeyboardInterrupt):
            winner = run_search(journal, FakeLatency(), trainer, in_process(), lambda event: None)
    assert len(cut_off) > 5
    assert len(trainer.steps) == len(set(trainer.steps)), "what was trained already was trained again"
    with Journal.read(run) as journal:
        whole = {one.number for one in all_trained(journal) if not one.fitness.stopped}
        assert len(all_trained(journal)) == plan.search.trainings
    assert {number for number, step in trainer.steps if step == STEPS - 1} == whole
    assert not {path.name for path in (run / "checkpoints").iterdir()} & {str(number) for number in whole}


def test_rungs_that_mislead_are_left_out_from_then_on_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvnsearch.search.trainings.rank_watch.FEWEST_PAIRS", 8)
    search(tmp_path / "run", changed(EARLY, trainings=150), CrossingFitness(fails=False))
    with Journal.read(tmp_path / "run") as journal:
        said = [line for line in journal.history().lines if "early stopping is switched off" in line]
        stopped = [individual.fitness.stopped for individual in all_trained(journal)]
    assert len(said) == 1
    assert any(stopped)
    assert not any(stopped[-5:])


def test_several_workers_stop_trainings_early_as_well(tmp_path: Path) -> None:
    executor = SimulatedExecutor(workers=5)
    with Journal.create(tmp_path / "run", EARLY) as journal:
        run_search(journal, FakeLatency(), CurveFitness(), executor, lambda event: None, executor.clock)
        assert len(all_trained(journal)) + len(journal.history().failures) == 60
        assert not pending(journal)
    assert executor.most_at_once == 5
    assert summarise(tmp_path / "run").stopped > 5


def test_fewer_workers_go_on_with_what_more_of_them_had_begun(tmp_path: Path) -> None:
    class Killed(SimulatedExecutor):
        def __init__(self, workers: int, waits: int) -> None:
            super().__init__(workers)
            self._waits = waits

        def wait(self, futures: Collection[Future[Any]], timeout_seconds: float) -> None:
            self._waits -= 1
            if not self._waits:
                raise KeyboardInterrupt
            super().wait(futures, timeout_seconds)

    run, most_cut_off = tmp_path / "run", 0
    Journal.create(run, EARLY).close()
    for workers, waits in [(5, 12), (1, 9), (5, 40), (2, 0)]:
        executor = Killed(workers, waits)
        with Journal.open(run) as journal, suppress(KeyboardInterrupt):
            most_cut_off = max(most_cut_off, len(set(pending(journal)) & points_of(run).keys()))
            run_search(journal, FakeLatency(), CurveFitness(), executor, lambda event: None, executor.clock)
    assert most_cut_off > 1
    with Journal.read(run) as journal:
        assert len(all_trained(journal)) + len(journal.history().failures) == 60
        assert not pending(journal)


@pytest.mark.parametrize("strategy", ["tournament", "ageing", "random", "pareto"])
def test_what_was_trained_further_takes_the_place_of_what_it_was(strategy: str, tmp_path: Path) -> None:
    plan = changed(EARLY, strategy=strategy, population=200)
    search(tmp_path / "run", changed(plan, trainings=90), LateFitness(fails=False))
    with Journal.read(tmp_path / "run") as journal:
        individuals, replayed = all_trained(journal), make_strategy(plan)
        for event in journal.events():
            replayed.apply(event)
    assert sorted(one.number for one in replayed.members) == sorted(one.number for one in individuals)
    assert {one.number: one for one in replayed.members} == {one.number: one for one in individuals}


def test_a_search_without_trainings_to_stop_is_refused() -> None:
    with pytest.raises(UserError, match="--early-stopping"):
        make_plan(early_stopping=True, iterations=1)


@pytest.mark.parametrize(
    ("plan", "fitness"),
    [
        (make_plan(inherit=True), HeirFitness),
        (HEIRS, MisleadingFitness),
        (EARLY, CurveFitness),
        (changed(EARLY, inherit=True, trainings=90), CrossingFitness),
        (changed(EARLY, trainings=80), LateFitness),
        (make_plan(fitness_predictor=True, trainings=40), HeirFitness),
        (changed(EARLY, inherit=True, fitness_predictor=True, trainings=40), CurveFitness),
        (FRONT, LateFitness),
        (changed(FRONT, inherit=True, fitness_predictor=True, trainings=40), CurveFitness),
    ],
)
def test_a_search_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, plan: SearchPlan, fitness: type[HeirFitness]
) -> None:
    search(tmp_path / "whole", plan, fitness())
    Journal.create(tmp_path / "stopped", plan).close()
    asked: list[tuple[str, int, float]] = []
    for stop in (0, 3, 8, 20, 21, 31, None):
        begun = 0

        def hook(step: str, genome: Genome, stop: int | None = stop) -> None:
            nonlocal begun
            if step == "train":
                if begun == stop:
                    raise KeyboardInterrupt
                begun += 1

        trainer = fitness(hook=hook)
        with Journal.open(tmp_path / "stopped") as journal:
            try:
                run_search(journal, FakeLatency(), trainer, in_process(), lambda event: None)
            except KeyboardInterrupt:
                assert stop is not None
                trainer.requests.pop()
        asked += [(one.weights.parent.name, one.number, one.until_share) for one in trainer.requests]
    assert decisions(tmp_path / "stopped") == decisions(tmp_path / "whole")
    assert len(asked) == len(set(asked)), "what was trained already was trained again"


class OutlierFitness(CurveFitness):
    """One individual is far ahead at the rung: by that, any other might come out as the best as well."""

    def __init__(self, outlier: int, is_killed: bool) -> None:
        super().__init__(fails=False)
        self._outlier = outlier
        self._is_killed = is_killed

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        scored = super().__call__(worker, request, on_progress)
        if request.number != self._outlier:
            return scored
        if request.until_share == 1 and self._is_killed:
            raise KeyboardInterrupt
        return scored if request.until_share == 1 else replace(scored, value=1000.0)


def test_a_training_that_was_cut_off_after_its_rung_comes_before_those_that_look_better_by_it(
    tmp_path: Path,
) -> None:
    search(tmp_path / "plain", EARLY, CurveFitness(fails=False))
    outlier = list(points_of(tmp_path / "plain"))[30]
    search(tmp_path / "whole", EARLY, OutlierFitness(outlier, is_killed=False))
    kinds = points_of(tmp_path / "whole")
    assert kinds[outlier] == ["RungPassed", "Trained"]
    assert sum("Promoted" in others for others in kinds.values()) > 1
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "killed", EARLY, OutlierFitness(outlier, is_killed=True))
    with Journal.open(tmp_path / "killed") as journal:
        trainer = OutlierFitness(outlier, is_killed=False)
        run_search(journal, FakeLatency(), trainer, in_process(), lambda event: None)
    assert trainer.requests[0].number == outlier
    assert decisions(tmp_path / "killed") == decisions(tmp_path / "whole")


ALL_STAY = changed(EARLY, population=200)


class SlowedDown(FakeLatency):
    """Those of some identities are over the budget when they are measured again."""

    def __init__(self, slower: set[str], known: set[str]) -> None:
        super().__init__()
        self._slower, self._known = slower, known
        self.asked: list[str] = []

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        identity = genome_id(genome)
        self.asked.append(identity)
        is_over = identity in self._known & self._slower
        self._known.add(identity)
        return measurement(99.0) if is_over else super().measure(genome)


def whole_ids(run: Path) -> set[str]:
    with Journal.read(run) as journal:
        return {one.genome_id for one in all_trained(journal) if not one.fitness.stopped}


def test_a_paused_network_that_would_win_is_trained_to_its_end_first(tmp_path: Path) -> None:
    """It wins if it is the fittest still, and a run that was killed meanwhile ends alike."""
    plain = CurveFitness(fails=False)
    search(tmp_path / "plain", ALL_STAY, plain)
    slower = whole_ids(tmp_path / "plain")
    with Journal.create(tmp_path / "run", ALL_STAY) as journal:
        latency, trainer = SlowedDown(slower, set()), CurveFitness(fails=False)
        winner = run_search(journal, latency, trainer, in_process(), lambda event: None)
        rivals = [one for one in all_trained(journal) if one.genome_id not in slower]
    assert winner is not None
    assert not winner.individual.fitness.stopped
    assert winner.individual == max(rivals, key=lambda one: one.fitness.value)
    assert points_of(tmp_path / "run")[winner.individual.number] == ["Paused", "Promoted", "Trained"]
    assert max(Counter(latency.asked).values()) == 2, "a rival was measured again and again"

    def kill(step: str, genome: Genome) -> None:
        if step == "train":
            begun.append(step)
            if len(begun) > len(plain.requests):
                raise KeyboardInterrupt

    begun: list[str] = []
    known: set[str] = set()
    with Journal.create(tmp_path / "killed", ALL_STAY) as journal, pytest.raises(KeyboardInterrupt):
        killed = CurveFitness(hook=kill, fails=False)
        run_search(journal, SlowedDown(slower, known), killed, in_process(), lambda event: None)
    with Journal.open(tmp_path / "killed") as journal:
        again, trainer = SlowedDown(slower, known), CurveFitness(fails=False)
        assert run_search(journal, again, trainer, in_process(), lambda event: None) == winner
        assert run_search(journal, again, trainer, in_process(), lambda event: None) == winner
    assert decisions(tmp_path / "killed") == decisions(tmp_path / "run")


def test_a_paused_network_that_cannot_be_trained_to_its_end_does_not_win(tmp_path: Path) -> None:
    plain = CurveFitness(fails=False)
    search(tmp_path / "plain", ALL_STAY, plain)

    class Failing(CurveFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            if request.until_share == 1 and len(self.requests) >= len(plain.requests):
                self.requests.append(request)
                raise TrainingFailed("out of memory")
            return super().__call__(worker, request, on_progress)

    latency, trainer = SlowedDown(whole_ids(tmp_path / "plain"), set()), Failing(fails=False)
    Journal.create(tmp_path / "run", ALL_STAY).close()
    for _ in range(2):
        with Journal.open(tmp_path / "run") as journal:
            assert run_search(journal, latency, trainer, in_process(), lambda event: None) is None
    asked = [(request.number, request.until_share) for request in trainer.requests]
    assert len(asked) == len(set(asked)) > len(plain.requests)
