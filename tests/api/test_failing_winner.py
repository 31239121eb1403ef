"""What is handed over when something goes wrong at the very end of a search."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from tests.api.equipment import opened_run
from tests.search.fakes import NoProcess, make_individual, make_plan, measurement
from tvnsearch.api import exported as timed
from tvnsearch.api import handover
from tvnsearch.api.handover import hand_over
from tvnsearch.api.status import final_scores
from tvnsearch.api.trained_model import export_winner
from tvnsearch.api.watching import Watch
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network.build import build_network
from tvnsearch.search import Journal, Winner, weights_path
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.run_folder import journal_path, winner_folder
from tvnsearch.training.metrics import Scores
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


def without_onnx(model: object, path: Path, *asked: object) -> float:
    raise UserError("onnx is not installed")


def handed_over(
    run: Path,
    failures: Mapping[str, Exception],
    monkeypatch: pytest.MonkeyPatch,
    export: Callable[..., float] = without_onnx,
    say: Callable[[str], None] = lambda line: None,
) -> Winner:
    """A winner of a new run of a minute, or of the one that is there."""
    monkeypatch.setattr(handover, "export_winner", export)
    monkeypatch.setattr(timed, "time_export", lambda path, device, limit_ms: measurement(1.5))
    winner = Winner(
        make_individual(7, 1.2, sample_genome(load_space("digits"), random.Random(0))), measurement(1.0)
    )
    torch.manual_seed(0)
    save_weights(build_network(winner.individual.genome, len(CLASSES)), weights_path(run, 7))
    dataset = Dataset(run, "class-folders", CLASSES, False, False, (), (), ())

    def start() -> RemoteWorker:
        return Failing(failures)

    plan = make_plan()
    plan = msgspec.structs.replace(plan, winner_minutes=1.0)
    with Journal.open(run) if journal_path(run).exists() else Journal.create(run, plan) as journal:
        hand_over(opened_run(journal, SerialExecutor(start), dataset), winner, Watch(say=say))
    return winner


@pytest.mark.parametrize("error", [TORCH_ERROR, DEATH])
def test_where_the_longer_training_fails_the_weights_of_the_search_are_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    said: list[str] = []
    winner = handed_over(tmp_path, {"train": error}, monkeypatch, say=said.append)
    handed = winner_folder(tmp_path) / "weights.safetensors"
    assert handed.read_bytes() == weights_path(tmp_path, 7).read_bytes()
    scores = final_scores(tmp_path)
    assert scores is not None
    assert (scores.number, scores.top1) == (7, 0.7)
    assert scores.training_seconds == winner.individual.fitness.seconds
    assert f"the longer training failed ({error}): the weights of the search are handed over" in said


@pytest.mark.parametrize("error", [TORCH_ERROR, DEATH])
def test_where_the_winner_cannot_be_scored_that_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with pytest.raises(UserError, match=r"expected to score the winner of .* the same command tries again"):
        handed_over(tmp_path, {"train": error, "evaluate": error}, monkeypatch)
    assert final_scores(tmp_path) is None


def fails(*arguments: object, **options: object) -> None:
    raise AssertionError("no legs\nto stand on")


def is_interrupted(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def exported(run: Path) -> float | None:
    scores = final_scores(run)
    assert scores is not None and scores.top1 == 0.7
    return scores.max_relative_error


def test_an_export_that_fails_leaves_the_scores_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without training or scoring once more."""
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("tvnsearch.export.formats.onnx.onnx_model", fails)
        handed_over(tmp_path, {"train": TORCH_ERROR}, patch, export_winner, said.append)
    assert exported(tmp_path) is None
    assert "the winner is not exported" in said[-1] and "AssertionError: no legs)" in said[-1]
    assert f"`tvnsearch resume {tmp_path}` tries again" in said[-1]
    onnx = winner_folder(tmp_path) / "model.onnx"
    assert not onnx.exists()
    handed_over(tmp_path, {"train": TORCH_ERROR, "evaluate": TORCH_ERROR}, monkeypatch, export_winner)
    error = exported(tmp_path)
    assert error is not None and error < 1e-3
    assert onnx.is_file()
    with monkeypatch.context() as patch:
        patch.setattr("tvnsearch.export.formats.onnx.onnx_model", fails)
        handed_over(tmp_path, {"train": TORCH_ERROR}, patch, export_winner)
    assert exported(tmp_path) == error


def test_who_is_interrupted_in_the_export_has_the_scores_and_gets_the_file_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tvnsearch.export.formats.onnx.onnx_model", is_interrupted)
        handed_over(tmp_path, {"train": TORCH_ERROR}, patch, export_winner)
    assert exported(tmp_path) is None
    handed_over(tmp_path, {"train": TORCH_ERROR, "evaluate": TORCH_ERROR}, monkeypatch, export_winner)
    assert exported(tmp_path) is not None
    assert {path.name for path in winner_folder(tmp_path).iterdir()} == {
        "README.md",
        "config.json",
        "genome.json",
        "layers_ms.json",
        "model.json",
        "model.onnx",
        "model.onnx.node_data.json",
        "scores.json",
        "video_preprocessor_config.json",
        "weights.safetensors",
    }


def test_a_disk_that_is_full_after_the_export_loses_no_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def fills_the_disk(model: object, path: Path, *asked: object) -> float:
        def full(path: Path, content: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "write_bytes", full)
        return 1e-6

    with monkeypatch.context() as patch:
        handed_over(tmp_path, {"train": TORCH_ERROR}, patch, fills_the_disk, said.append)
    assert exported(tmp_path) is None
    assert "No space left on device" in said[-1]
    assert not list(winner_folder(tmp_path).glob("*.part"))


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json", "scores.json"])
def test_a_disk_that_is_full_before_the_winner_is_whole_is_one_sentence_and_the_next_try_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name.startswith(f".{file}.") and path.parent == winner_folder(tmp_path):
            write(path, content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match=r"expected to write .*/winner, but that failed \(No space left"):
            handed_over(tmp_path, {"train": TORCH_ERROR}, monkeypatch)
    assert not (winner_folder(tmp_path) / file).exists()
    assert not list(winner_folder(tmp_path).glob(".*"))
    assert final_scores(tmp_path) is None
    handed_over(tmp_path, {"train": TORCH_ERROR}, monkeypatch)
    assert final_scores(tmp_path) is not None
    assert (winner_folder(tmp_path) / file).exists()


def test_the_file_of_a_former_winner_does_not_stay_beside_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner_folder(tmp_path).mkdir()
    former = winner_folder(tmp_path) / "model.onnx"
    former.write_bytes(b"of another network")
    handed_over(tmp_path, {"train": TORCH_ERROR}, monkeypatch)
    assert exported(tmp_path) is None
    assert not former.exists()
