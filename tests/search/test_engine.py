from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.search.fakes import (
    FakeFitness,
    FakeLatency,
    all_trained,
    decisions,
    in_process,
    make_plan,
    measurement,
    pending,
    true_ms,
)
from tests.search.simulated import SimulatedExecutor
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.space import IntRange, SearchSpace
from tvnsearch.search import (
    Budget,
    Fitness,
    Journal,
    MeasurementFailed,
    SearchPlan,
    SearchProgress,
    Winner,
    run_search,
    weights_path,
)
from tvnsearch.search.candidates import judge
from tvnsearch.search.events import Judged
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import MeasuredGenome, TrainingProgress, TrainingRequest

ONE = IntRange(1, 1)
FEW_NETWORKS = SearchSpace(
    resolution=IntRange(32, 64, 32),
    frames=ONE,
    frame_stride=ONE,
    blocks=ONE,
    repeats=ONE,
    layers=ONE,
    layer_types=("spatial_conv",),
    kernel=IntRange(1, 3, 2),
    stride=IntRange(2, 2),
    filters=IntRange(32, 36, 4),
    activations=("relu",),
    residuals=("none",),
)
"""A space of 8 networks."""


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class SlowFitness(FakeFitness):
    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__(fails=False)
        self._slow_clock = clock
        self._slow_seconds = seconds

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        self._slow_clock.seconds += self._slow_seconds
        return super().__call__(worker, request, on_progress)


def search(
    run: Path,
    plan: SearchPlan,
    latency: FakeLatency | None = None,
    fitness: FakeFitness | None = None,
    events: list[SearchProgress] | None = None,
) -> Winner | None:
    with Journal.create(run, plan) as journal:
        return run_search(
            journal,
            latency or FakeLatency(),
            fitness or FakeFitness(),
            in_process(),
            (lambda event: None) if events is None else events.append,
        )


def test_a_search_finds_a_fitter_network_than_its_random_pool(tmp_path: Path) -> None:
    run = tmp_path / "run"
    winner = search(run, make_plan(trainings=120), fitness=FakeFitness(fails=False))
    assert winner is not None
    with Journal.read(run) as journal:
        values = [individual.fitness.value for individual in all_trained(journal)]
        parents = [individual.parent for individual in all_trained(journal)]
    assert parents[:12] == [None] * 12
    assert None not in parents[12:]
    assert winner.individual.fitness.value > max(values[:12])
    assert winner.measurement.ci_high_ms <= 2.0
    assert winner.individual.params <= 100_000
    assert weights_path(run, winner.individual.number).is_file()


def test_every_trained_network_keeps_the_budget(tmp_path: Path) -> None:
    search(tmp_path / "run", make_plan())
    with Journal.read(tmp_path / "run") as journal:
        for individual in all_trained(journal):
            assert individual.params <= 100_000
            assert individual.measurement.ci_high_ms <= 2.0
            assert true_ms(individual.genome) <= 2.0


def test_another_seed_makes_another_search(tmp_path: Path) -> None:
    search(tmp_path / "first", make_plan(seed=1))
    search(tmp_path / "second", make_plan(seed=2))
    assert decisions(tmp_path / "first") != decisions(tmp_path / "second")


def test_nothing_is_measured_or_trained_twice_but_the_winner(tmp_path: Path) -> None:
    latency, fitness = FakeLatency(), FakeFitness()
    winner = search(tmp_path / "run", make_plan(trainings=150), latency, fitness)
    assert winner is not None
    assert latency.promised[0] == winner.individual.genome_id
    assert len(latency.promised) == len(set(latency.promised))
    assert len(latency.measured) == len(set(latency.measured))
    assert len(fitness.trained) == len(set(fitness.trained)) == 150
    with Journal.read(tmp_path / "run") as journal:
        identities = [individual.genome_id for individual in all_trained(journal)]
        assert len(identities) == len(set(identities))
        assert journal.history().verdicts["duplicate"] > 0


def test_a_space_that_is_used_up_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "PATIENCE_CANDIDATES", 500)
    fitness = FakeFitness(fails=False)
    winner = search(
        tmp_path / "run",
        make_plan(space=FEW_NETWORKS, trainings=100, budget=Budget(1e6)),
        FakeLatency(fails=False),
        fitness,
    )
    assert winner is not None
    assert len(fitness.trained) == 8
    with Journal.read(tmp_path / "run") as journal:
        assert "brought nothing new" in journal.history().lines[-1]


def test_what_waits_for_its_training_in_a_space_that_is_used_up_is_trained_by_who_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(SimulatedExecutor):
        def wait(self, futures: Collection[Future[Any]], timeout_seconds: float) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(judge, "PATIENCE_CANDIDATES", 500)
    run, plan = tmp_path / "run", make_plan(space=FEW_NETWORKS, trainings=100, budget=Budget(1e6))
    latency, fitness = FakeLatency(fails=False), FakeFitness(fails=False)
    with Journal.create(run, plan) as journal, pytest.raises(KeyboardInterrupt):
        run_search(journal, latency, FakeFitness(fails=False), Killed(workers=9), lambda event: None)
    with Journal.open(run) as journal:
        assert len(pending(journal)) == 8
        assert not any("over the budget" in line for line in journal.history().lines)
        run_search(journal, latency, fitness, in_process(), lambda event: None)
        assert len(all_trained(journal)) == len(fitness.trained) == 8
        assert "brought nothing new" in journal.history().lines[-1]


def test_a_training_that_fails_is_noted_and_the_search_goes_on(tmp_path: Path) -> None:
    events: list[SearchProgress] = []
    search(tmp_path / "run", make_plan(trainings=150), events=events)
    with Journal.read(tmp_path / "run") as journal:
        failures = journal.history().failures
        individuals = all_trained(journal)
    assert set(failures.values()) == {"the loss is NaN", "its fitness is nan"}
    assert len(individuals) + len(failures) == 150
    assert not {individual.number for individual in individuals} & set(failures)
    assert [event.number for event in events if event.kind == "failed"] == list(failures)
    assert (events[-1].counts.trained, events[-1].counts.failed) == (len(individuals), len(failures))


class DriftingLatency(FakeLatency):
    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        super().learn(measured, predicted_ms)
        return "the bounds have drifted" if len(self.learnt) == len(measured) else None


def test_measurements_are_learnt_when_a_candidate_is_accepted_and_drift_is_said_once(tmp_path: Path) -> None:
    latency = DriftingLatency()
    search(tmp_path / "run", make_plan(), latency)
    with Journal.read(tmp_path / "run") as journal:
        measured = journal.history().measured
        lines = journal.history().lines
        judged = [event for event in journal.events() if isinstance(event, Judged)]
    candidates = [one for event in judged for one in (*event.rejected, event.measured) if one]
    predictions = [
        (one.number, one.verdict.estimate.latency_ms) for one in candidates if one.verdict.estimate
    ]
    measured = [one for one in measured if one.verdict.measurement]
    last = max(candidate.number for candidate in measured if candidate.verdict.kind == "accepted")
    assert latency.learnt == [candidate.genome_id for candidate in measured if candidate.number <= last]
    assert latency.met_ms == [predicted_ms for number, predicted_ms in predictions if number <= last]
    assert len(latency.met_ms) > len(latency.learnt)
    assert sum("the bounds have drifted" in line for line in lines) == 1


def test_weights_of_the_population_and_the_best_are_kept_and_no_others(tmp_path: Path) -> None:
    run = tmp_path / "run"
    kept_counts: list[int] = []

    class Watching(FakeFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            kept_counts.append(len(list((run / "weights").iterdir())))
            return super().__call__(worker, request, on_progress)

    winner = search(run, make_plan(trainings=80), fitness=Watching(fails=False))
    assert winner is not None
    assert max(kept_counts) == 12
    with Journal.read(run) as journal:
        fittest = sorted(all_trained(journal), key=lambda member: member.fitness.value)[-12:]
    assert {path.stem for path in (run / "weights").iterdir()} == {str(member.number) for member in fittest}
    assert (
        weights_path(run, winner.individual.number)
        .read_bytes()
        .endswith(winner.individual.genome_id.encode())
    )


def test_events_count_what_happens(tmp_path: Path) -> None:
    events: list[SearchProgress] = []
    search(tmp_path / "run", make_plan(), events=events)
    assert [events[0].kind, events[-1].kind] == ["started", "finished"]
    for before, after in pairwise(events):
        assert after.counts.sampled >= before.counts.sampled
        assert after.elapsed_seconds >= before.elapsed_seconds
        assert (after.best_fitness or 0) >= (before.best_fitness or 0)
    counts = events[-1].counts
    with Journal.read(tmp_path / "run") as journal:
        verdicts = journal.history().verdicts
        assert events[-1].best_fitness == max(member.fitness.value for member in all_trained(journal))
    assert counts.sampled == sum(verdicts.values())
    assert counts.rejected_params == verdicts["rejected_params"]
    assert counts.rejected_gflops == verdicts["rejected_gflops"]
    assert counts.rejected_mb == verdicts["rejected_mb"]
    assert counts.rejected_counted == sum(
        verdicts[kind] for kind in ("rejected_params", "rejected_gflops", "rejected_mb")
    )
    assert counts.rejected_predicted == verdicts["rejected_predicted"]
    assert counts.rejected_measured == verdicts["rejected_measured"]
    assert counts.duplicates == verdicts["duplicate"]
    assert counts.trained + counts.failed == verdicts["accepted"] == 60
    assert {"share": 0.5} in [event.training for event in events]


def test_no_training_starts_that_would_end_after_the_time(tmp_path: Path) -> None:
    clock = Clock()
    fitness = SlowFitness(clock, seconds=50.0)
    with Journal.create(tmp_path / "run", make_plan(minutes=4.0)) as journal:
        winner = run_search(journal, FakeLatency(), fitness, in_process(), lambda event: None, clock)
        assert len(fitness.trained) == 4
        assert winner is not None
        assert journal.elapsed_seconds == 200.0


def test_time_counts_over_resumes(tmp_path: Path) -> None:
    clock = Clock()
    run = tmp_path / "run"

    def interrupt(step: str, genome: Genome) -> None:
        if len(fitness.trained) == 2:
            raise KeyboardInterrupt

    fitness = SlowFitness(clock, seconds=50.0)
    with Journal.create(run, make_plan(minutes=4.0)) as journal, pytest.raises(KeyboardInterrupt):
        run_search(journal, FakeLatency(interrupt), fitness, in_process(), lambda event: None, clock)
    clock.seconds += 1e6  # nobody worked on the run
    again = SlowFitness(clock, seconds=50.0)
    with Journal.open(run) as journal:
        run_search(journal, FakeLatency(), again, in_process(), lambda event: None, clock)
    assert len(fitness.trained) + len(again.trained) == 4


def test_the_time_to_go_shrinks_with_the_plan(tmp_path: Path) -> None:
    clock = Clock()
    events: list[SearchProgress] = []
    with Journal.create(tmp_path / "run", make_plan(trainings=5)) as journal:
        run_search(journal, FakeLatency(), SlowFitness(clock, 10.0), in_process(), events.append, clock)
    etas = [event.workload.eta_seconds for event in events if event.kind == "trained"]
    assert etas == [40.0, 30.0, 20.0, 10.0, 0.0]
    assert events[0].workload.eta_seconds is None


def test_a_plan_without_time_for_anything_has_no_winner(tmp_path: Path) -> None:
    clock = Clock()

    class SlowLatency(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            clock.seconds += 100.0
            return super().measure(genome)

    with Journal.create(tmp_path / "run", make_plan(minutes=1.0)) as journal:
        fitness = FakeFitness()
        assert run_search(journal, SlowLatency(), fitness, in_process(), lambda event: None, clock) is None
        assert not fitness.trained


def test_an_impossible_budget_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    fitness = FakeFitness()
    with pytest.raises(UserError, match=r"got --max-ms 0\.001 and the smallest network found"):
        search(tmp_path / "run", make_plan(budget=Budget(0.001)), fitness=fitness)
    with Journal.read(tmp_path / "run") as journal:
        assert journal.history().next_number == 0
    assert not fitness.trained


def test_a_device_slower_than_every_prediction_ends_in_a_sentence(tmp_path: Path) -> None:
    class Slow(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            self.measured.append(genome_id(genome))
            return measurement(1000.0)

    latency = Slow()
    with pytest.raises(UserError, match="all of 100 that were predicted to keep it took longer"):
        search(tmp_path / "run", make_plan(), latency)
    assert len(latency.measured) == 100


def test_a_budget_that_only_a_freak_keeps_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "PATIENCE_CANDIDATES", 200)
    monkeypatch.setattr(judge, "HOPELESS_CANDIDATES", 400)
    with pytest.raises(UserError, match="none of 400 did; raise --max-ms, or search"):
        search(tmp_path / "run", make_plan(budget=Budget(0.095)))
    with Journal.read(tmp_path / "run") as journal:
        assert journal.history().lines == [
            "the last 200 candidates were all over the budget; the search goes on"
        ]


def test_the_winner_is_the_fittest_whose_fresh_measurement_keeps_the_budget(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = search(run, make_plan(trainings=40))
    assert first is not None
    with Journal.read(run) as journal:
        fittest = sorted(all_trained(journal), key=lambda member: -member.fitness.value)
    over = {member.genome_id for member in fittest[:2]}
    measured: list[str] = []

    class Drifting(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            identity = genome_id(genome)
            again = identity in measured
            measured.append(identity)
            return measurement(3.0) if again and identity in over else super().measure(genome)

    winner = search(tmp_path / "drifting", make_plan(trainings=40), Drifting())
    assert winner is not None
    assert winner.individual.number == fittest[2].number
    with Journal.read(tmp_path / "drifting") as journal:
        assert journal.history().winner == winner
        assert [
            f"individual {member.number} cannot win" in line
            for member, line in zip(fittest, journal.history().lines, strict=False)
        ] == [True, True]


def test_without_a_fresh_measurement_within_the_budget_there_is_no_winner(tmp_path: Path) -> None:
    class Slowing(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            again = genome_id(genome) in self.measured
            known = super().measure(genome)
            return measurement(99.0) if again else known

    assert search(tmp_path / "run", make_plan(trainings=10), Slowing()) is None
    with Journal.read(tmp_path / "run") as journal:
        assert journal.history().winner is None
        assert len(journal.history().lines) == len(all_trained(journal))


def test_the_time_for_which_a_worker_stood_still_is_not_spent_on_its_training(tmp_path: Path) -> None:
    clock = Clock()
    run = tmp_path / "run"

    class Stopped(SlowFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            return replace(super().__call__(worker, request, on_progress), stood_still_seconds=30.0)

    events: list[SearchProgress] = []
    with Journal.create(run, make_plan(trainings=5)) as journal:
        run_search(journal, FakeLatency(), Stopped(clock, 50.0), in_process(), events.append, clock)
        assert set(journal.history().training_seconds.values()) == {20.0}
    assert events[-1].workload.busy_share == pytest.approx(20 / 50)


def test_a_training_that_began_afresh_is_noted_and_counts(tmp_path: Path) -> None:
    class Damaged(FakeFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            fitness = super().__call__(worker, request, on_progress)
            first = self.trained == [request.number]
            return replace(fitness, begun_afresh="its checkpoint was damaged") if first else fitness

    damaged = Damaged(fails=False)
    with Journal.create(tmp_path / "run", make_plan(trainings=5)) as journal:
        run_search(journal, FakeLatency(), damaged, in_process(), lambda event: None)
        history = journal.history()
    assert set(history.individuals) == set(damaged.trained)
    said = [line for line in history.lines if "damaged" in line]
    assert said == [f"individual {damaged.trained[0]}: its checkpoint was damaged"]


def test_where_nothing_can_be_measured_the_reason_is_said(tmp_path: Path) -> None:
    class Broken(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            raise MeasurementFailed("libopenvino.so is missing")

    with pytest.raises(UserError, match=r"none of 100 could be measured, .*: libopenvino\.so is missing;"):
        search(tmp_path / "run", make_plan(), Broken())


def test_networks_that_took_longer_are_told_from_those_that_could_not_be_measured(tmp_path: Path) -> None:
    class Slow(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            return measurement(1000.0) if super().measure(genome) else measurement(0.0)

    with pytest.raises(UserError, match=r"took longer when measured, and \d+ could not .*: out of memory"):
        search(tmp_path / "run", make_plan(), Slow())
