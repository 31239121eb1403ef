"""The finals of a run as Python asks for them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tests.api.equipment import NamedLatency, Opened
from tests.search.fakes import measurement
from tvnsearch.api.evolve import evolve
from tvnsearch.api.finalists import finalists
from tvnsearch.api.status import HandedOver, status
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(tmp_path, monkeypatch)


def test_the_best_finalist_is_handed_over(opened: Opened, tmp_path: Path) -> None:
    run = tmp_path / "run"
    evolve(run=run, **opened.options())
    shown: list[tuple[str, float, str]] = []
    report = finalists(run, 2, watch=Watch(progress=lambda *told: shown.append(told)))
    assert len(report.finalists) == 2
    best = report.finalists[0]
    assert best.fitness == max(one.fitness for one in report.finalists)
    assert isinstance(report.winner, HandedOver)
    assert (report.winner.number, report.winner.at_full_length) == (best.number, True)
    assert Path(best.weights).read_bytes() == (run / "winner" / "weights.safetensors").read_bytes()
    assert shown[-1] == ("finalists", 1.0, "2 of 2 begun")
    known = json.loads(msgspec.json.encode(status(run)))
    told = json.loads(msgspec.json.encode(report))
    assert list(told) == [*known, "finalists"]
    assert {**told, "finalists": None} == {**known, "finalists": None}


def test_where_nothing_keeps_the_budget_any_more_that_is_a_sentence(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve(run=tmp_path / "run", **opened.options())
    monkeypatch.setattr(NamedLatency, "measure", lambda self, genome: measurement(99.0))
    with pytest.raises(UserError, match=r"expected a network of the run .* trained at full length, but none"):
        finalists(tmp_path / "run")
