"""A whole search without a device, clips or processes: what it opens pretends, and is counted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.search.fakes import FakeLatency, NoProcess, measurement
from tvnsearch.api import exported, handover, open_run
from tvnsearch.api.device_latency import DeviceLatency
from tvnsearch.api.open_run import Equipment, OpenRun
from tvnsearch.api.watching import Watch
from tvnsearch.data.dataset import Dataset
from tvnsearch.devices.device import Device
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.search import Journal
from tvnsearch.search.exchange import Exchange
from tvnsearch.search.executors import Executor, SerialExecutor
from tvnsearch.search.settings import Workforce
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import Progress

DIGEST = "0123456789ab"
SECONDS = 300.0
"""What a training took."""

DATASET = Dataset(Path("clips"), "moving-digits", ("left", "right"), False, True, (), (), ())

SOURCE = DataSource("clips.manifest", "cache", 32, 32, "moving-digits:clips", 0)

SMALL: dict[str, Any] = {
    "max_ms": 2.0,
    "max_params": 100_000,
    "space": "digits",
    "population": 4,
    "tournament": 2,
    "trainings": 8,
    "iterations": 100,
    "seed": 3,
}
"""Options of a search that is over at once."""


class Clips:
    """Where clips would be decoded."""

    def __init__(self, folder: Path, dataset: Dataset = DATASET) -> None:
        self.directory = folder
        self.dataset = dataset


class NamedLatency(FakeLatency):
    """Latencies on a device that has a name."""

    def __init__(self, digest: str = DIGEST, differences: Sequence[str] = ()) -> None:
        super().__init__()
        self.digest = digest
        self.differences = list(differences)

    def keep_predictors(self, folder: Path) -> None:
        return None


class PretendingTrainer(NoProcess):
    """Trains and scores at once, and likes layers of many kinds."""

    def __init__(self, seconds_per_iteration: float = 0.5) -> None:
        self.trained: list[Genome] = []
        self.recipes: list[Recipe] = []
        """By which each was trained, seeds left out."""
        self.devices: set[str] = set()
        """On which it was asked to train and to score."""
        self.scored: list[tuple[int | None, int]] = []
        """On how many clips at most each was to be scored after its training, and their seed."""
        self._seconds_per_iteration = seconds_per_iteration

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        self.devices.add(params["device"])
        if method == "evaluate":
            return msgspec.to_builtins(Scores(clips=8, top1=0.5, top5=0.75))
        genome = msgspec.convert(params["genome"], Genome)
        self.scored.append((params["data"]["validation_clips"], params["data"]["validation_seed"]))
        self.trained.append(genome)
        self.recipes.append(replace(msgspec.convert(params["recipe"], Recipe), seed=0))
        Path(params["weights"]).parent.mkdir(parents=True, exist_ok=True)
        Path(params["weights"]).write_bytes(b"weights")
        kinds = len({(call.type, call.kernel) for call in trace(genome, 2).calls})
        scores = {
            "fitness": kinds + random.Random(genome_id(genome)).random(),
            "top1": 0.4,
            "top5": 0.6,
            "mean_average_precision": None,
            "loss": 1.0,
        }
        times = {"seconds": SECONDS, "fitting_seconds": 4 * self._seconds_per_iteration, "iterations": 4}
        if on_progress is not None:
            on_progress({"share": 1.0, "loss": 1.0})
        return msgspec.to_builtins(msgspec.convert(scores | times, TrainingResult))


class Opened:
    """Stands in for all that a search opens.

    ``counts`` says how often, ``workforces`` and ``split_seeds`` what was asked for.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[str] = Counter()
        self.workforces: list[Workforce] = []
        self.split_seeds: list[int] = []
        self.trainer = PretendingTrainer()
        self.digest = DIGEST
        self.differences: list[str] = []
        self.dataset = DATASET
        self._folder = folder
        self.db = folder / "latency.sqlite"
        self.db.touch()
        patch.setattr(DeviceLatency, "open", self._open_latency)
        patch.setattr(open_run, "open_clips", self._open_clips)
        patch.setattr(open_run, "prepare_clips", self._prepare_clips)
        patch.setattr(open_run, "keep_clips", lambda run, clips: SOURCE)
        patch.setattr(open_run, "open_executor", self._open_executor)
        patch.setattr(handover, "export_winner", lambda *asked: 1e-6)
        patch.setattr(exported, "time_export", lambda path, device, limit_ms: measurement(1.5))

    def options(self, **changes: Any) -> dict[str, Any]:
        """Those of a small search on what is opened here."""
        (self._folder / "clips").mkdir(exist_ok=True)
        here = {"data": str(self._folder / "clips"), "db": str(self.db)}
        return SMALL | here | changes

    @contextmanager
    def _open_latency(self, device: Device, db: Path, *rest: Any, watch: Watch) -> Iterator[NamedLatency]:
        self.counts["meter"] += 1
        yield NamedLatency(self.digest, self.differences)

    def _open_clips(self, *address: Any, **more: Any) -> tuple[Clips, DataSource]:
        self.counts["clips"] += 1
        self.split_seeds.append(address[3])
        return Clips(self._folder, self.dataset), replace(SOURCE, cache_dir=str(self._folder))

    def _prepare_clips(self, clips: Clips, watch: Watch) -> None:
        self.counts["decoded"] += 1

    @contextmanager
    def _open_executor(self, workforce: Workforce, module: str, *gpus: Any) -> Iterator[Executor]:
        self.counts["workers"] += 1
        self.workforces.append(workforce)
        yield SerialExecutor(lambda: self.trainer)


def opened_run(journal: Journal, executor: Executor, dataset: Dataset = DATASET) -> OpenRun:
    """A run that goes on with ``executor``; nothing is measured."""
    equipment = Equipment(NamedLatency(), Clips(Path("cache"), dataset), SOURCE, executor, "cpu")
    return OpenRun(journal, equipment, Exchange(journal.run, journal.run))
