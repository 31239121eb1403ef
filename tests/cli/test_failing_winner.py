"""What is handed over when something goes wrong at the very end of a search."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from cli import winning
from cli.compose import TrainedFitness
from cli.run_report import final_scores
from cli.winning import hand_over
from tests.cli.requests import REQUEST
from tests.search.fakes import NoProcess, make_individual, make_plan, measurement
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network.build import build_network
from tvnsearch.search import Journal, Winner, weights_path
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.run_folder import winner_folder
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.weights import save_weights
from tvnsearch.workers import Progress, WorkerDiedError, WorkerFailedError

CLASSES = ("left", "right")
TORCH_ERROR = WorkerFailedError("RuntimeError: CUDA error: an illegal memory access was encountered")
DEATH = WorkerDiedError("a worker process ended with code -9: ")


class Failing(NoProcess):
    """Raises where it is told to; scores are fixed."""

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        self._failures = failures

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        if method in self._failures:
            raise self._failures[method]
        return msgspec.to_builtins(Scores(clips=10, top1=0.7, top5=1.0))


def handed_over(run: Path, failures: Mapping[str, Exception], monkeypatch: pytest.MonkeyPatch) -> Winner:
    def without_onnx(model: object, path: Path) -> float:
        raise UserError("onnx is not installed")

    monkeypatch.setattr(winning, "export_winner", without_onnx)
    winner = Winner(
        make_individual(7, 1.2, sample_genome(load_space("digits"), random.Random(0))), measurement(1.0)
    )
    torch.manual_seed(0)
    save_weights(build_network(winner.individual.genome, len(CLASSES)), weights_path(run, 7))
    dataset = Dataset(run, "class-folders", CLASSES, False, False, (), (), ())
    fitness = TrainedFitness(DataSource("digits", 0, str(run), 32), Recipe())

    def start() -> RemoteWorker:
        return Failing(failures)

    request = msgspec.structs.replace(REQUEST, minutes=1.0)
    with Journal.create(run, make_plan()) as journal:
        hand_over(journal, winner, request, dataset, fitness, SerialExecutor(start))
    return winner


@pytest.mark.parametrize("error", [TORCH_ERROR, DEATH])
def test_where_the_longer_training_fails_the_weights_of_the_search_are_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    winner = handed_over(tmp_path, {"train": error}, monkeypatch)
    handed = winner_folder(tmp_path) / "weights.safetensors"
    assert handed.read_bytes() == weights_path(tmp_path, 7).read_bytes()
    scores = final_scores(tmp_path)
    assert scores is not None
    assert (scores.number, scores.top1) == (7, 0.7)
    assert scores.training_seconds == winner.individual.fitness.seconds
    said = capsys.readouterr()
    assert f"the longer training failed ({error})" in said.out + said.err


@pytest.mark.parametrize("error", [TORCH_ERROR, DEATH])
def test_where_the_winner_cannot_be_scored_that_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with pytest.raises(UserError, match=r"expected to score the winner of .* the same command tries again"):
        handed_over(tmp_path, {"train": error, "evaluate": error}, monkeypatch)
    assert final_scores(tmp_path) is None
