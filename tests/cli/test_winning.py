"""What a run hands over, by workers that only pretend to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli import winning
from cli.compose import TrainedFitness
from cli.request import Request
from cli.run_report import final_scores, winner_folder
from cli.winning import hand_over
from tests.search.fakes import STEPS, FakeFitness, FakeLatency, NoProcess, in_process, make_plan
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError
from tvnsearch.search import Journal, Winner, run_search
from tvnsearch.search.executors import SerialExecutor
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import Progress

REQUEST = Request(
    max_ms=2.0,
    max_params=100_000,
    data=None,
    minutes=None,
    population=12,
    tournament=4,
    trainings=15,
    iterations=10,
    space="digits",
    device="cpu",
    threads=1,
    backend="eager",
    seed=0,
    db=None,
)
DATASET = Dataset(Path("clips"), "moving-digits", ("left", "right"), False, True, (), (), ())


class PretendingWorker(NoProcess):
    """Trains in steps, gone on with from its checkpoint; ``steps`` are all that were done."""

    def __init__(self, hook: Callable[[int], None] = lambda step: None) -> None:
        self.steps: list[int] = []
        self._hook = hook

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        if method == "evaluate":
            return msgspec.to_builtins(Scores(clips=8, top1=0.5, top5=0.75))
        checkpoint = Path(params["checkpoints"]) / "steps"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        for step in range(int(checkpoint.read_text()) if checkpoint.is_file() else 0, STEPS):
            self._hook(step)
            self.steps.append(step)
            checkpoint.write_text(str(step + 1))
        Path(params["weights"]).write_bytes(b"trained longer")
        return msgspec.to_builtins(TrainingResult(99.0, 0.5, 0.75, None, 0.1, 10, 60.0))


@pytest.fixture(autouse=True)
def _without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    def export(model: object, path: Path) -> float:
        raise UserError("the weights are no weights here")

    monkeypatch.setattr(winning, "export_winner", export)


def searched(run: Path) -> Winner:
    with Journal.create(run, make_plan(trainings=15)) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    assert winner is not None
    return winner


def hand(run: Path, winner: Winner, worker: PretendingWorker, minutes: float | None = None) -> None:
    request = msgspec.structs.replace(REQUEST, minutes=minutes)
    fitness = TrainedFitness(DataSource("clips", 0, "cache", 32), Recipe(iterations=10))
    hand_over(run, winner, request, DATASET, fitness, SerialExecutor(lambda: worker))


def test_a_winner_that_is_trained_longer_goes_on_where_that_was_cut_off(tmp_path: Path) -> None:
    run = tmp_path / "run"
    winner = searched(run)

    def stop(step: int) -> None:
        if step == STEPS - 1:
            raise KeyboardInterrupt

    interrupted, again = PretendingWorker(stop), PretendingWorker()
    with pytest.raises(KeyboardInterrupt):
        hand(run, winner, interrupted, minutes=1.0)
    assert final_scores(run) is None
    hand(run, winner, again, minutes=1.0)
    assert again.steps == [STEPS - 1]
    assert (winner_folder(run) / "weights.safetensors").read_bytes() == b"trained longer"
    scores = final_scores(run)
    assert scores is not None
    assert (scores.number, scores.training_seconds) == (winner.individual.number, 60.0)
    assert not list(run.glob("winner-checkpoints/*"))
