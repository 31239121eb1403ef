"""What a run hands over, by workers that only pretend to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.equipment import opened_run
from tests.api.watches import Heard
from tests.search.fakes import (
    STEPS,
    FakeFitness,
    FakeLatency,
    Moved,
    NoProcess,
    in_process,
    make_plan,
    measurement,
)
from tvnsearch.api import exported, handover
from tvnsearch.api.genomes import resolve_genome
from tvnsearch.api.handover import hand_over
from tvnsearch.api.status import final_scores
from tvnsearch.api.trained_model import load_model
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices import Device, Measurement
from tvnsearch.errors import UserError
from tvnsearch.export.formats import Format
from tvnsearch.export.options import GraphOptions
from tvnsearch.genome import Genome, genome_id
from tvnsearch.search import Finalist, Journal, run_finalists, run_search, summarise, weights_path
from tvnsearch.search.executors import SerialExecutor
from tvnsearch.search.run_folder import finalist_weights_path, winner_folder
from tvnsearch.search.settings import DeviceSettings
from tvnsearch.training.metrics import Scores
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import Progress


class PretendingWorker(NoProcess):
    """Trains in steps, gone on with from its checkpoint; ``steps`` are all that were done."""

    def __init__(self, hook: Callable[[int], None] = lambda step: None) -> None:
        self.steps: list[int] = []
        self.scored_in: list[str] = []
        self._hook = hook

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        if method == "evaluate":
            self.scored_in.append(params["precision"])
            return msgspec.to_builtins(Scores(clips=8, top1=0.5, top5=0.75))
        checkpoint = Path(params["checkpoints"]) / "steps"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        for step in range(int(checkpoint.read_text()) if checkpoint.is_file() else 0, STEPS):
            self._hook(step)
            self.steps.append(step)
            checkpoint.write_text(str(step + 1))
            if on_progress is not None:
                on_progress({"share": (step + 1) / STEPS, "loss": 1.0})
        Path(params["weights"]).write_bytes(b"trained longer")
        return msgspec.to_builtins(TrainingResult(99.0, 0.5, 0.75, None, 0.1, 10, 60.0))


@pytest.fixture(autouse=True)
def _without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    def export(model: object, path: Path, *asked: object) -> float:
        raise UserError("the weights are no weights here")

    monkeypatch.setattr(handover, "export_winner", export)


def searched(run: Path, minutes: float | None = None, device: DeviceSettings | None = None) -> None:
    plan = make_plan(trainings=15)
    plan = msgspec.structs.replace(plan, winner_minutes=minutes, device=device or plan.device)
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)


def hand(run: Path, worker: PretendingWorker | None = None, watch: Watch = SILENT) -> int:
    """Go on with a search that has ended, and hand over its winner, whose number it is."""
    executor = SerialExecutor(lambda: worker or PretendingWorker())
    with Journal.open(run) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        assert winner is not None
        hand_over(opened_run(journal, executor), winner, watch)
    return winner.individual.number


def test_a_winner_that_is_trained_longer_goes_on_where_that_was_cut_off(tmp_path: Path) -> None:
    run = tmp_path / "run"
    searched(run, minutes=1.0)

    def stop(step: int) -> None:
        if step == STEPS - 1:
            raise KeyboardInterrupt

    interrupted, again = PretendingWorker(stop), PretendingWorker()
    with pytest.raises(KeyboardInterrupt):
        hand(run, interrupted)
    assert final_scores(run) is None
    shown: list[tuple[str, float, str]] = []
    number = hand(run, again, Watch(progress=lambda *told: shown.append(told)))
    assert shown == [("train the winner", 1.0, "loss 1.00")]
    assert again.steps == [STEPS - 1]
    assert (winner_folder(run) / "weights.safetensors").read_bytes() == b"trained longer"
    scores = final_scores(run)
    assert scores is not None
    assert (scores.number, scores.training_seconds) == (number, 60.0)
    assert not list(run.glob("winner-checkpoints/*"))


def finals(
    run: Path, count: int, latency: FakeLatency | None = None, fitness: FakeFitness | None = None
) -> Finalist:
    """The best after finals that were killed before it was handed over."""
    with Journal.open(run) as journal:
        best = run_finalists(
            journal,
            latency or FakeLatency(fails=False),
            fitness or FakeFitness(fails=False),
            in_process(),
            count,
            lambda line: None,
            lambda number, share: None,
        )[0]
    finalist_weights_path(run, best.individual.number).write_bytes(b"whole")
    return best


@pytest.mark.parametrize("count", [1, 4])
def test_a_finalist_is_handed_over_by_who_goes_on_after_interrupted_finals(
    tmp_path: Path, count: int
) -> None:
    """Also where it had won the search as well, and where its weights of the search are gone."""
    run = tmp_path / "run"
    searched(run)
    hand(run)
    weights = winner_folder(run) / "weights.safetensors"
    assert weights.read_bytes() != b"whole"
    best = finals(run, count)
    number = best.individual.number
    weights_path(run, number).unlink(missing_ok=True)
    assert hand(run) == number
    assert weights.read_bytes() == b"whole"
    scores, said = final_scores(run), summarise(run).winner
    assert scores is not None and said is not None
    assert (scores.number, scores.at_full_length) == (number, True)
    assert (scores.training_seconds, said.fitness) == (best.fitness.seconds, best.fitness.value)
    weights.write_bytes(b"kept")
    hand(run)
    assert weights.read_bytes() == b"kept"


def test_a_winner_that_is_over_the_budget_now_is_called_so_no_more(tmp_path: Path) -> None:
    """From that measurement on; its weights, trained longer than any others of it, are kept elsewhere."""
    run = tmp_path / "run"
    searched(run, minutes=1.0)
    number = hand(run)
    handed_over = load_model(run).genome

    def stop(step: str, genome: Genome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finals(run, 2, Moved({genome_id(handed_over)}), FakeFitness(stop))
    assert summarise(run).winner is None
    with pytest.raises(UserError, match="expected a run with a winner"):
        resolve_genome(str(run))
    with pytest.raises(UserError, match="expected a trained network or a run with a winner"):
        load_model(run)
    assert hand(run) != number
    said, former = summarise(run).winner, load_model(run / "winner-withdrawn-1")
    assert said is not None
    assert load_model(run).genome == said.genome
    assert former.genome == handed_over
    assert former.weights.read_bytes() == b"trained longer"


@pytest.mark.parametrize(("latency_ms", "keeps"), [(1.9, True), (2.1, False)])
def test_the_file_that_is_handed_over_has_a_latency_of_its_own_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, latency_ms: float, keeps: bool
) -> None:
    """Also where the run was handed over before that was timed."""
    run, heard = tmp_path / "run", Heard()
    timed: list[Path] = []

    def time_export(path: Path, device: object, limit_ms: float) -> object:
        timed.append(path)
        if len(timed) == 1:
            raise UserError("ONNX Runtime is busy")
        return measurement(latency_ms)

    monkeypatch.setattr(handover, "export_winner", lambda *asked: 1e-6)
    monkeypatch.setattr(exported, "time_export", time_export)
    searched(run)
    for _ in range(3):
        hand(run, watch=heard.watch)
    assert timed == [winner_folder(run) / "model.onnx"] * 2
    scores = final_scores(run)
    assert scores is not None and scores.exported is not None
    assert (scores.exported.latency_ms, scores.exported.max_ms) == (latency_ms, 2.0)
    assert scores.exported.keeps_budget is keeps
    assert "model.onnx is not timed: ONNX Runtime is busy" in heard.said
    assert f"model.onnx takes {latency_ms:.2f} ms" in heard.said[-1]
    assert ("does not keep the budget of 2 ms" in heard.said[-1]) is not keeps


def _exported(
    run: Path, monkeypatch: pytest.MonkeyPatch, backend: str, watch: Watch = SILENT, lacks: str = ""
) -> list[tuple[str, int | None]]:
    """A winner of a search in a backend, four clips a pass, is handed over: what is written, then timed."""
    done: list[tuple[str, int | None]] = []

    def export(model: object, path: Path, file_format: Format, options: GraphOptions) -> float:
        if file_format.name == lacks:
            raise UserError(f"expected the packages of --format {lacks}")
        path.touch()
        done.append((path.name, options.batch))
        return 1e-6

    def time_export(path: Path, device: Device, limit_ms: float) -> Measurement:
        done.append((f"timed {path.name}", device.batch))
        return measurement(1.0)

    monkeypatch.setattr(handover, "export_winner", export)
    monkeypatch.setattr(exported, "time_export", time_export)
    searched(run, device=DeviceSettings(backend=backend, batch=4))
    hand(run, watch=watch)
    return done


@pytest.mark.parametrize(
    ("backend", "done", "together"),
    [
        ("eager", [("model.onnx", 1), ("timed model.onnx", 4)], 1),
        ("onnxruntime", [("model.onnx", 4), ("timed model.onnx", 4)], 4),
        ("openvino", [("model.onnx", 1), ("model.xml", 4), ("timed model.xml", 4)], 4),
    ],
)
def test_a_winner_is_handed_over_and_timed_in_the_runtime_that_was_searched_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, done: list[tuple[str, int]], together: int
) -> None:
    assert _exported(tmp_path / "run", monkeypatch, backend) == done
    scores = final_scores(tmp_path / "run")
    assert scores is not None and scores.exported is not None
    assert f"timed {scores.exported.file}" == done[-1][0]
    assert (scores.exported.clips, scores.exported.together) == (4, together)


def test_where_the_runtime_of_the_search_is_not_here_onnx_is_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    done = _exported(tmp_path / "run", monkeypatch, "openvino", heard.watch, lacks="openvino")
    assert done == [("model.onnx", 1), ("timed model.onnx", 4)]
    assert any("not exported for OpenVINO: expected the packages" in said for said in heard.said)


@pytest.mark.parametrize(("latency_ms", "times"), [(1.0, 1), (1.9, 3)])
def test_an_export_is_timed_again_until_it_is_known_whether_it_keeps_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, latency_ms: float, times: int
) -> None:
    """On a noisy machine nothing is trusted: what lies far below 2 ms is settled all the same."""
    timed: list[Path] = []

    def time_export(path: Path, device: object, limit_ms: float) -> object:
        timed.append(path)
        return msgspec.structs.replace(measurement(latency_ms), trusted=False, reason="noisy")

    monkeypatch.setattr(handover, "export_winner", lambda *asked: 1e-6)
    monkeypatch.setattr(exported, "time_export", time_export)
    searched(tmp_path / "run")
    for _ in range(3):
        hand(tmp_path / "run")
    assert len(timed) == times


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        (DeviceSettings(), "float32"),
        (DeviceSettings(precision="bfloat16"), "bfloat16"),
        (DeviceSettings(name="cuda", precision="bfloat16"), "float32"),
    ],
)
def test_a_winner_is_scored_and_runs_on_the_processor_in_what_was_measured_there(
    tmp_path: Path, device: DeviceSettings, precision: str
) -> None:
    worker = PretendingWorker()
    searched(tmp_path / "run", device=device)
    hand(tmp_path / "run", worker)
    assert worker.scored_in == [precision]
    assert load_model(tmp_path / "run").card.precision == precision
