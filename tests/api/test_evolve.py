"""A search as Python asks for it, and what it says that ends without a winner."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from tests.api.equipment import DATASET, DIGEST, Clips, Opened
from tests.search.fakes import CLASSES, FakeFitness, FakeLatency, in_process, make_plan, measurement
from tvnsearch.api import open_run
from tvnsearch.api.evolve import evolve, resume
from tvnsearch.api.status import HandedOver, RunReport, status
from tvnsearch.api.trained_model import load_model
from tvnsearch.api.watching import Watch
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import IntRange, SearchSpace, load_space
from tvnsearch.search import (
    Candidate,
    Fitness,
    Journal,
    MeasurementFailed,
    SearchPlan,
    TrainingFailed,
    Verdict,
)
from tvnsearch.search.events import Judged
from tvnsearch.search.executors import Executor, RemoteWorker
from tvnsearch.search.progress.figures import SearchProgress
from tvnsearch.search.protocols import TrainingProgress, TrainingRequest
from tvnsearch.training.recipe import Recipe

TWENTY_CLASSES = replace(DATASET, classes=tuple(map(str, range(CLASSES))))


def plan_of_twenty(**changes: Any) -> SearchPlan:
    return replace(make_plan(**changes), class_names=TWENTY_CLASSES.classes)


class Diverging(FakeFitness):
    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        raise TrainingFailed("the loss became nan in iteration 3")


class Broken(FakeLatency):
    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        raise MeasurementFailed("libopenvino.so is missing")


class Slowing(FakeLatency):
    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        again = genome_id(genome) in self.measured
        known = super().measure(genome)
        return measurement(99.0) if again else known


class Pretending(NamedTuple):
    """What a run goes on with, whose networks only pretend to train."""

    latency: FakeLatency
    executor: Executor
    clips: Clips
    trains: FakeFitness

    @property
    def dataset(self) -> Any:
        return self.clips.dataset

    def fitness(self, recipe: Recipe) -> FakeFitness:
        return self.trains

    def decode_clips(self, watch: Watch) -> None:
        return None

    def keep_predictors(self, run: Path) -> None:
        return None

    def of_run(self, run: Path, plan: SearchPlan) -> Pretending:
        return self


def gone_on_with(
    run: Path, latency: FakeLatency, fitness: FakeFitness, monkeypatch: pytest.MonkeyPatch
) -> RunReport:
    @contextmanager
    def open_equipment(*asked: Any) -> Iterator[Any]:
        yield Pretending(latency, in_process(), Clips(run, TWENTY_CLASSES), fitness)

    latency.digest = DIGEST
    monkeypatch.setattr(open_run, "open_equipment", open_equipment)
    return resume(run)


@pytest.mark.parametrize(
    ("latency", "fitness", "changes", "sentence"),
    [
        (FakeLatency(), Diverging(), {}, "all 10 trainings .* failed, .*: the loss became nan in"),
        (Broken(), FakeFitness(), {}, r"none of 100 could be measured, .*: libopenvino.so is missing;"),
        (Slowing(), FakeFitness(), {}, r"of the \d+ that .* has trained none does when it is measured again"),
        (
            FakeLatency(),
            FakeFitness(),
            {"minutes": 1e-9},
            "found none in its time; give it more by .* --minutes",
        ),
    ],
)
def test_a_search_without_a_winner_says_why(
    latency: FakeLatency,
    fitness: FakeFitness,
    changes: dict[str, Any],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Journal.create(tmp_path / "run", plan_of_twenty(trainings=10, **changes)).close()
    with pytest.raises(UserError, match=sentence):
        gone_on_with(tmp_path / "run", latency, fitness, monkeypatch)


class Creeping(FakeLatency):
    """No network keeps a budget when it is measured."""

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        return measurement(1000.0)


@pytest.mark.parametrize("changes", [{}, {"minutes": 600.0}])
def test_where_nothing_new_is_left_more_time_is_no_advice(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = IntRange(1, 1)
    few = SearchSpace(
        resolution=IntRange(32, 32),
        frames=one,
        frame_stride=one,
        blocks=one,
        repeats=one,
        layers=one,
        layer_types=("spatial_conv",),
        kernel=IntRange(1, 2),
        stride=one,
        filters=IntRange(32, 32),
        residuals=("none",),
        activations=("none",),
    )
    Journal.create(tmp_path / "run", plan_of_twenty(space=few, **changes)).close()
    with pytest.raises(UserError, match="found none before nothing new could be drawn") as refused:
        gone_on_with(tmp_path / "run", Creeping(fails=False), FakeFitness(), monkeypatch)
    assert "--minutes" not in str(refused.value)


def test_time_that_went_into_failing_measurements_is_no_want_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = sample_genome(load_space("digits"), random.Random(0))
    verdict = Verdict("rejected_measured", 1, 1, reason="libopenvino.so is missing")
    with Journal.create(tmp_path / "run", plan_of_twenty(minutes=1.0)) as journal:
        judged = Judged(measured=Candidate(0, None, genome, genome_id(genome), verdict))
        journal.append(judged, elapsed_seconds=60.0)
    with pytest.raises(UserError, match=r"none of the 1 that .* could be measured, .*: libopenvino.so"):
        gone_on_with(tmp_path / "run", FakeLatency(), FakeFitness(), monkeypatch)


def test_where_no_measurement_could_be_trusted_a_looser_budget_is_no_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = sample_genome(load_space("digits"), random.Random(0))
    verdict = Verdict("undecided", 1, 1, None, measurement(3.0), "only 3 of 470 samples were undisturbed")
    with Journal.create(tmp_path / "run", plan_of_twenty(minutes=1.0)) as journal:
        judged = Judged(measured=Candidate(0, None, genome, genome_id(genome), verdict))
        journal.append(judged, elapsed_seconds=60.0)
    with pytest.raises(UserError, match=r"1 of the 1 measurements .* only 3 of 470 samples") as refused:
        gone_on_with(tmp_path / "run", FakeLatency(), FakeFitness(), monkeypatch)
    assert "raise --max-ms" not in str(refused.value)
    assert "--minutes +60` when the machine does nothing else" in str(refused.value)


def test_python_searches_as_the_command_line_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(tmp_path, monkeypatch)
    steps: list[SearchProgress] = []
    report = evolve(run=tmp_path / "run", on_progress=steps.append, **opened.options())
    assert report == status(tmp_path / "run")
    assert report.winner == resume(tmp_path / "run").winner
    assert report.trained + report.failed == 8
    assert isinstance(report.winner, HandedOver)
    assert report.winner.ci_high_ms <= report.max_ms == 2.0
    assert (report.winner.top1, report.winner.clips, report.winner.chance) == (0.5, 8, 0.5)
    assert (steps[0].kind, steps[-1].kind) == ("started", "finished")
    assert steps[-1].counts.trained == report.trained


def test_a_run_without_a_folder_gets_one_in_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    report = evolve(**opened.options())
    assert Path(report.run).parent == Path("runs")
    assert Path(report.run).name.startswith("evolve-")


def test_the_seed_of_the_split_is_that_of_the_clips_and_stays_with_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(tmp_path, monkeypatch)
    evolve(run=tmp_path / "run", **opened.options(split_seed=4))
    resume(tmp_path / "run")
    assert opened.split_seeds == [4, 4]
    assert load_model(tmp_path / "run").card.split_seed == 4
    with pytest.raises(UserError, match="split_seed was 4 and is 5"):
        evolve(run=tmp_path / "run", **opened.options(split_seed=5))


def test_the_same_seed_makes_the_same_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(tmp_path, monkeypatch)
    one, other = (evolve(run=tmp_path / name, **opened.options()) for name in ("one", "other"))
    assert one.front == other.front
    assert one.winner is not None and other.winner is not None
    assert one.winner.genome == other.winner.genome


def test_generated_clips_are_said_and_their_making_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tvnsearch.data import moving_digits

    opened = Opened(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(moving_digits, "generate", lambda path, seed, on_progress: on_progress(1, 2))
    said: list[str] = []
    shown: list[tuple[str, float, str]] = []
    watch = Watch(said.append, lambda *told: shown.append(told))
    evolve(run=tmp_path / "run", watch=watch, **opened.options(data=None))
    assert any(line.startswith("the built-in clips are generated mp4 files in") for line in said)
    assert shown == [("encode clips", 0.5, "")]
