"""The processes that torchrun starts, before they are a team."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tvnsearch.training import team
from tvnsearch.training.team import leads_torchrun, say_ready, wait_until_ready


def test_processes_wait_for_the_first_however_long_and_for_no_other_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "LOOK_EVERY_S", 0.01)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "an earlier one")
    say_ready(tmp_path / "ready")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "this one")
    waiting = threading.Thread(target=wait_until_ready, args=(tmp_path / "ready",), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    say_ready(tmp_path / "ready")
    waiting.join(10.0)
    assert not waiting.is_alive()


@pytest.mark.parametrize(("rank", "leads"), [("0", True), ("3", False)])
def test_the_first_is_of_rank_0(monkeypatch: pytest.MonkeyPatch, rank: str, leads: bool) -> None:
    monkeypatch.setenv("RANK", rank)
    assert leads_torchrun() is leads
