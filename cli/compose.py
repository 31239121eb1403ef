"""Wires the packages together: latency comes from a predictor and a meter, fitness from training.

This is the Python facade as well: what the commands do can be done from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from cli.elsewhere import predictor_of_other
from cli.latency import database_path, load_predictor
from predictors.calibration import DEFAULT_LEVEL
from predictors.predictor import LatencyPredictor
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.devices.device import Device, open_device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import (
    Fitness,
    LatencyEstimate,
    MeasuredGenome,
    MeasurementFailed,
    TrainingFailed,
    TrainingProgress,
    TrainingRequest,
)
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import Progress, WorkerFailedError

MEASURE_SECONDS = 4.0
"""The longest that a search measures one candidate."""

TRAINING_MODULE = "tvnsearch.training.task"


class DeviceLatency:
    """The search's latency model: a predictor's estimates, a meter's measurements; a context manager.

    ``on_others`` predicts for other devices of the budget, by the names that it gives them.
    """

    def __init__(
        self, predictor: LatencyPredictor, meter: Meter, on_others: Mapping[str, LatencyPredictor]
    ) -> None:
        self._predictor = predictor
        self._meter = meter
        self._others = on_others

    @classmethod
    def open(
        cls,
        device: Device,
        db: Path,
        classes: int,
        on_others: Iterable[str] = (),
        level: float = DEFAULT_LEVEL,
    ) -> DeviceLatency:
        """Start a meter on ``device`` and load its predictor, and those of devices ``on_others``.

        Their bounds hold for a share of ``level`` of networks.

        Raises:
            UserError: there is no such predictor, or no such device.
        """
        meter = Meter(device, classes)
        try:
            predictor = load_predictor(db, meter, level)
            others = {name: predictor_of_other(db, name, meter.fingerprint, level) for name in on_others}
            return cls(predictor, meter, others)
        except BaseException:
            meter.close()
            raise

    @property
    def digest(self) -> str:
        """The device's name in latency databases."""
        return self._meter.digest

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Predict latencies, in milliseconds."""
        return self._predictor.estimate(genomes, self._meter.classes)

    def estimate_over(self, genomes: Sequence[Genome], max_ms: float) -> list[LatencyEstimate | None]:
        """Estimates of those that ``max_ms`` rejects."""
        return self._predictor.estimate_over(genomes, max_ms, self._meter.classes)

    def estimate_on_other(self, device: str, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Predict latencies on another device, in milliseconds."""
        return self._others[device].estimate(genomes, self._meter.classes)

    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        """Let measurements count in later estimates; a sentence where they have drifted.

        ``predicted_ms`` were the estimates of all candidates since: where they are, budgets can be strict.
        """
        self._predictor.meet(predicted_ms)
        said = [
            self._predictor.observe(genome, measurement.latency_ms, self._meter.classes)
            for genome, measurement in measured
            if measurement.samples
        ]
        return next((sentence for sentence in said if sentence), None)

    def measure(self, genome: Genome) -> Measurement:
        """Run a network on the device.

        Raises:
            MeasurementFailed: it does not run there.
        """
        try:
            return self._meter.measure([genome], MEASURE_SECONDS)[0]
        except (UserError, WorkerFailedError) as error:
            raise MeasurementFailed(str(error)) from None

    def close(self) -> None:
        """End the meter's process."""
        self._meter.close()

    def __enter__(self) -> DeviceLatency:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class TrainedFitness:
    """The search's fitness function: has a worker of :data:`TRAINING_MODULE` train by one recipe."""

    def __init__(self, data: DataSource, recipe: Recipe, training_device: str = "cpu") -> None:
        self._data = data
        self._recipe = recipe
        self._training_device = training_device

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        """Train a network by the recipe and score it on the validation split.

        Raises:
            TrainingFailed: it diverged or did not fit in memory.
            WorkerDiedError: the worker died.
        """
        recipe = msgspec.structs.replace(self._recipe, seed=request.seed)
        params: dict[str, Any] = {
            "until_share": request.until_share,
            "checkpoints": str(request.checkpoints),
        }
        if request.origin is not None:
            params["parent"] = {
                "genome": msgspec.to_builtins(request.origin.genome),
                "weights": str(request.origin.weights),
            }
        result = self.train(worker, request.genome, recipe, request.weights, on_progress, params)
        if result.failed is not None:
            raise TrainingFailed(result.failed)
        return Fitness(
            value=result.fitness,
            top1=result.top1,
            top5=result.top5,
            mean_average_precision=result.mean_average_precision,
            seconds=result.seconds,
            iterations=result.iterations,
            inherited_share=result.inherited_share,
            stood_still_seconds=result.stood_still_seconds,
        )

    def train(
        self,
        worker: RemoteWorker,
        genome: Genome,
        recipe: Recipe,
        weights: Path,
        on_progress: Progress | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> TrainingResult:
        """Train ``genome`` by any recipe and write its weights to the file ``weights``.

        ``more`` are further parameters of the worker's method.

        Raises:
            TrainingFailed: it could not be trained.
            WorkerDiedError: the worker died.
        """
        params = {"recipe": msgspec.to_builtins(recipe), "device": self._training_device, **(more or {})}
        answer = self._call(worker, "train", genome, weights, params, on_progress)
        return msgspec.convert(answer, TrainingResult)

    def evaluate(self, worker: RemoteWorker, genome: Genome, weights: Path, split: str) -> Scores:
        """Score trained weights on a split: ``train``, ``validation`` or ``test``.

        Raises:
            TrainingFailed: it could not be scored.
            WorkerDiedError: the worker died.
        """
        params = {"split": split, "device": self._training_device}
        return msgspec.convert(self._call(worker, "evaluate", genome, weights, params), Scores)

    def _call(
        self,
        worker: RemoteWorker,
        method: str,
        genome: Genome,
        weights: Path,
        params: dict[str, Any],
        on_progress: Progress | None = None,
    ) -> Any:
        request = {
            "genome": msgspec.to_builtins(genome),
            "data": msgspec.to_builtins(self._data),
            "weights": str(weights),
            **params,
        }
        try:
            return worker.call(method, request, on_progress)
        except WorkerFailedError as error:
            raise TrainingFailed(str(error)) from None


def open_clips(data: str | Path, cache_dir: Path, resolution: int, seed: int) -> tuple[ClipCache, DataSource]:
    """The clips at the address ``data`` (not decoded yet), and where a worker finds them.

    Raises:
        UserError: there are no clips, or not in a format that is known.
    """
    dataset = open_dataset(data, seed)
    source = DataSource(dataset.address, seed, str(cache_dir.resolve()), resolution)
    return ClipCache(dataset, resolution, cache_dir), source


__all__ = [
    "DeviceLatency",
    "TrainedFitness",
    "database_path",
    "load_predictor",
    "open_clips",
    "open_device",
]
