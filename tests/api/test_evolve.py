"""What a search says that ends without a winner."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.requests import REQUEST
from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan, measurement
from tvnsearch.api import evolve
from tvnsearch.api.evolve import carry_out
from tvnsearch.api.open_run import Bench
from tvnsearch.data.dataset import Dataset
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Candidate, Fitness, Journal, MeasurementFailed, TrainingFailed, Verdict
from tvnsearch.search.executors import RemoteWorker, Workforce
from tvnsearch.search.protocols import TrainingProgress, TrainingRequest


class Diverging(FakeFitness):
    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        raise TrainingFailed("the loss became nan in iteration 3")


class Broken(FakeLatency):
    def measure(self, genome: Genome) -> Measurement:
        raise MeasurementFailed("libopenvino.so is missing")


class Slowing(FakeLatency):
    def measure(self, genome: Genome) -> Measurement:
        again = genome_id(genome) in self.measured
        known = super().measure(genome)
        return measurement(99.0) if again else known


def carried_out(
    run: Path, latency: FakeLatency, fitness: FakeFitness, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    @contextmanager
    def open_bench(journal: Journal, workforce: Workforce, seconds: float | None) -> Iterator[Any]:
        dataset = Dataset(run, "class-folders", ("left", "right"), False, False, (), (), ())
        yield Bench(REQUEST, dataset, latency, fitness, in_process())  # type: ignore[arg-type]

    monkeypatch.setattr(evolve, "open_bench", open_bench)
    return carry_out(run, Workforce())


@pytest.mark.parametrize(
    ("latency", "fitness", "changes", "sentence"),
    [
        (FakeLatency(), Diverging(), {}, "all 10 trainings .* failed, .*: the loss became nan in"),
        (Broken(), FakeFitness(), {}, r"none of 100 could be measured, .*: libopenvino.so is missing;"),
        (Slowing(), FakeFitness(), {}, r"of the \d+ that .* has trained none does when it is measured again"),
        (FakeLatency(), FakeFitness(), {"minutes": 1e-9}, "found none in its time; give it more --minutes"),
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
    Journal.create(tmp_path / "run", make_plan(trainings=10, **changes)).close()
    with pytest.raises(UserError, match=sentence):
        carried_out(tmp_path / "run", latency, fitness, monkeypatch)


def test_time_that_went_into_failing_measurements_is_no_want_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = sample_genome(load_space("digits"), random.Random(0))
    verdict = Verdict("rejected_measured", 1, 1, reason="libopenvino.so is missing")
    with Journal.create(tmp_path / "run", make_plan(minutes=1.0)) as journal:
        journal.record_candidates([Candidate(0, None, genome, genome_id(genome), verdict)], 60.0)
    with pytest.raises(UserError, match=r"none of the 1 that .* could be measured, .*: libopenvino.so"):
        carried_out(tmp_path / "run", FakeLatency(), FakeFitness(), monkeypatch)
