"""TensorBoard and wandb as they are called; that they are not installed is said."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tvnsearch.api.loggers import opened_loggers, require_loggers
from tvnsearch.errors import UserError


class Board(ModuleType):
    """Stands in for torch.utils.tensorboard, and notes what is written."""

    def __init__(self) -> None:
        super().__init__("torch.utils.tensorboard")
        self.scalars: list[tuple[str, float, int]] = []
        self.writers: list[tuple[str, int]] = []
        self.closed = 0
        board = self

        class SummaryWriter:
            def __init__(self, log_dir: str, *, purge_step: int) -> None:
                board.writers.append((log_dir, purge_step))

            def add_scalar(self, tag: str, value: float, step: int) -> None:
                board.scalars.append((tag, value, step))

            def close(self) -> None:
                board.closed += 1

        self.SummaryWriter = SummaryWriter


class Wandb(ModuleType):
    """Stands in for wandb."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.inits: list[dict[str, Any]] = []
        self.logged: list[tuple[dict[str, Any], int]] = []
        self.finished = 0

    def init(self, **options: Any) -> Wandb:
        self.inits.append(options)
        return self

    def log(self, data: dict[str, Any], step: int) -> None:
        self.logged.append((data, step))

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "training.json").write_text("{}")
    return tmp_path / "net"


def line(iteration: int, loss: float) -> dict[str, Any]:
    return {"iteration": iteration, "loss": loss}


def test_tensorboard_shows_no_iteration_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a training goes back, and where it is gone on with, what came later is purged."""
    board = Board()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    with opened_loggers(["tensorboard"], folder, {}) as [logger]:
        for iteration in (1, 2, 3, 2, 3, 3):
            logger.log(line(iteration, iteration / 2), step=iteration)
    with opened_loggers(["tensorboard"], folder, {}) as [logger]:
        logger.log(line(3, 9.0), step=3)
    place = str(folder / "tensorboard")
    assert board.writers == [(place, 1), (place, 2), (place, 3)]
    assert board.closed == 3
    assert board.scalars == [
        *(("loss", iteration / 2, iteration) for iteration in (1, 2, 3, 2, 3, 3)),
        ("loss", 9.0, 3),
    ]


def test_a_training_is_one_run_of_wandb_however_often_it_is_gone_on_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for iteration in (1, 2):
        with opened_loggers(["wandb"], folder, {"device": "cpu"}) as [logger]:
            logger.log(line(iteration, 0.5), step=iteration)
    other = folder.parent / "other"
    other.mkdir()
    (other / "training.json").write_text("{}")
    with pytest.raises(KeyboardInterrupt), opened_loggers(["wandb"], other, {}):
        raise KeyboardInterrupt
    first, again, another = wandb.inits
    assert first == again
    assert (first["project"], first["name"], first["resume"]) == ("tvnsearch", "net", "allow")
    assert first["config"] == {"device": "cpu"}
    assert first["id"] != another["id"]
    assert wandb.logged == [(line(1, 0.5), 1), (line(2, 0.5), 2)]
    assert wandb.finished == 3


def test_objects_are_taken_as_they_are_and_left_open(folder: Path) -> None:
    run = Wandb()
    with opened_loggers([run], folder, {}) as opened:
        assert opened == [run]
    assert (run.inits, run.finished) == ([], 0)


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("tensorboard", "torch.utils.tensorboard", "tvnsearch[tensorboard]"),
        ("wandb", "wandb", "wandb"),
    ],
)
def test_what_is_not_installed_is_said_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: Any, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError) as error:
        require_loggers([name])
    assert str(error.value) == (
        f"expected {name} for the metrics, but it is not installed; run `pip install '{package}'`"
    )
