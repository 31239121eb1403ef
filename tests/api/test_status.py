"""How a run stands, as Python asks for it; the keys are those of its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tests.api.equipment import Opened
from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.api.evolve import evolve
from tvnsearch.api.status import HandedOver, measured_device, status
from tvnsearch.errors import UserError
from tvnsearch.search import Journal, run_search, summarise
from tvnsearch.search.progress.status import NetworkSummary, RunSummary

BUDGET = ["max_ms", "others_max_ms", "max_params", "max_gflops", "max_mb", "budget_used", "not_binding"]
HANDED_OVER = [
    "clips", "chance", "training_seconds", "max_relative_error", "at_full_length", "exported", "on_clips",
    "drawing", "files",
]  # fmt: skip


def test_a_run_that_has_begun_has_no_winner(tmp_path: Path) -> None:
    Journal.create(tmp_path, make_plan()).close()
    report = status(str(tmp_path))
    assert (report.run, report.winner, report.trained, report.max_ms) == (str(tmp_path), None, 0, 2.0)
    assert measured_device(tmp_path) == "cpu"


def test_a_winner_that_is_not_handed_over_has_its_scores_of_the_search(tmp_path: Path) -> None:
    with Journal.create(tmp_path, make_plan(trainings=15)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    told = json.loads(msgspec.json.encode(status(tmp_path)))
    assert list(told) == [*RunSummary.__struct_fields__, *BUDGET]
    assert list(told["winner"]) == list(NetworkSummary.__struct_fields__)
    assert status(tmp_path).winner == summarise(tmp_path).winner


@pytest.mark.parametrize("content", [b'{"number": 3', b"[]", b"\xff"])
def test_scores_that_cannot_be_read_are_a_sentence(content: bytes, tmp_path: Path) -> None:
    with Journal.create(tmp_path, make_plan(trainings=5)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    (tmp_path / "winner").mkdir()
    (tmp_path / "winner" / "scores.json").write_bytes(content)
    with pytest.raises(UserError, match=r"scores of a winner in .*scores\.json, .*delete that file, and"):
        status(tmp_path)


def test_a_winner_that_was_handed_over_has_scores_on_unseen_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = evolve(run=tmp_path / "run", **Opened(tmp_path, monkeypatch).options())
    told = json.loads(msgspec.json.encode(report))
    assert list(told["winner"]) == [*NetworkSummary.__struct_fields__, *HANDED_OVER]
    assert isinstance(report.winner, HandedOver)
    assert (report.winner.top1, report.winner.max_relative_error) == (0.5, 1e-6)
    assert report.winner.exported is not None
    assert (report.winner.exported.latency_ms, report.winner.exported.keeps_budget) == (1.5, True)
    assert report.winner.drawing
    names = {Path(path).name for path in report.winner.files}
    files = {"genome.json", "model.json", "scores.json", "weights.safetensors"}
    assert names == files | {"README.md", "config.json", "video_preprocessor_config.json"}
