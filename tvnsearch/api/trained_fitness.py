"""The fitness of a search: networks trained and scored by worker processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.search.executors import RemoteWorker
from tvnsearch.search.protocols import (
    Fitness,
    TrainingFailed,
    TrainingProgress,
    TrainingRequest,
)
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import EnvironmentFailedError, Progress, WorkerFailedError

TRAINING_MODULE = "tvnsearch.training.task"


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
            EnvironmentFailedError: it ended for what is none of its fault.
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
            begun_afresh=result.begun_afresh or result.set_back,
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

        A run's checkpoints are its own: one of another training, by another release say, or one that is
        damaged, costs what was trained so far and not the network. ``more`` are further parameters of the
        worker's method.

        Raises:
            TrainingFailed: it could not be trained.
            EnvironmentFailedError: that is none of its fault.
            WorkerDiedError: the worker died.
        """
        params = {"recipe": msgspec.to_builtins(recipe), "replace_others": True, **(more or {})}
        answer = self._call(worker, "train", genome, weights, params, on_progress)
        return msgspec.convert(answer, TrainingResult)

    def evaluate(
        self, worker: RemoteWorker, genome: Genome, weights: Path, split: str, precision: str
    ) -> Scores:
        """Score trained weights on a split (``train``, ``validation`` or ``test``), on the CPU.

        Raises:
            TrainingFailed: it could not be scored.
            EnvironmentFailedError: that is none of its fault.
            WorkerDiedError: the worker died.
        """
        params = {"split": split, "precision": precision}
        return msgspec.convert(self._call(worker, "evaluate", genome, weights, params), Scores)

    def _call(
        self,
        worker: RemoteWorker,
        method: str,
        genome: Genome,
        weights: Path,
        params: Mapping[str, Any],
        on_progress: Progress | None = None,
    ) -> Any:
        request = worker_params(genome, self._data, weights, self._training_device) | dict(params)
        try:
            return worker.call(method, request, on_progress)
        except EnvironmentFailedError:
            raise
        except UserError as error:  # such as clips that one machine lacks: the network is not to blame
            raise EnvironmentFailedError(str(error)) from None
        except WorkerFailedError as error:
            raise TrainingFailed(str(error)) from None


def worker_params(genome: Genome, data: DataSource, weights: Path, device: str) -> dict[str, Any]:
    """What every method of :data:`TRAINING_MODULE` is told: the network, its clips, its file, where."""
    return {
        "genome": msgspec.to_builtins(genome),
        "data": msgspec.to_builtins(data),
        "weights": str(weights),
        "device": device,
    }
