"""The metrics of a training as it goes: a file of JSON lines, and whoever wants to hear them."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict

from tvnsearch.training.fitting import Fitting
from tvnsearch.training.metrics import Scores
from tvnsearch.training.validation import Split

OnMetrics = Callable[[dict[str, Any]], None]
"""Hears each line when it is written."""


class MetricsLog:
    """One line an iteration, one more for each scoring, in the file `path`, if there is one.

    Of an iteration `iteration`, `epoch` (how many are done, each of `iterations_per_epoch`), `seconds` (of
    all iterations so far), `loss` and `learning_rate`; of a scoring the first three and `validation_fitness`,
    `validation_top1` and so on. Each line is written at once, and is on the disk before a checkpoint that
    comes after it. So what goes on from a checkpoint finds all lines up to there, and `go_on_after` drops the
    rest: none is lost, and none is there twice.

    Raises OSError when the disk is full, or the file cannot be written.
    """

    def __init__(self, path: Path | None, iterations_per_epoch: float, on_metrics: OnMetrics | None) -> None:
        self._path = path
        self._iterations_per_epoch = iterations_per_epoch
        self._on_metrics = on_metrics
        self._file: FileIO | None = None
        self._scored_after: int | None = None

    def go_on_after(self, iteration: int) -> None:
        """Have the next line be one of the iteration that follows, wherever the file ends."""
        self._scored_after = None
        if self._path is None:
            return
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b", buffering=0)
        self._file.seek(0)
        kept_bytes = 0
        for line in self._file.readall().splitlines(keepends=True):
            found = _read(line)
            if found is None or found["iteration"] > iteration:
                break
            kept_bytes += len(line)
            if "loss" not in found:
                self._scored_after = found["iteration"]
        self._file.truncate(kept_bytes)

    def iterated(self, fitting: Fitting) -> None:
        """Take in the iteration that `fitting` has just done."""
        self._write(fitting, {"loss": fitting.losses[-1], "learning_rate": fitting.learning_rate})

    def scored(self, fitting: Fitting, split: Split, scores: Scores) -> None:
        """Take in what the network scores as it stands, unless that is in the file already."""
        if self._scored_after == fitting.iterations:
            return
        self._scored_after = fitting.iterations
        figures = {"fitness": scores.fitness, **asdict(scores)}
        self._write(
            fitting, {f"{split}_{name}": value for name, value in figures.items() if value is not None}
        )

    def sync(self) -> None:
        """Have the disk keep all lines."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, fitting: Fitting, figures: dict[str, Any]) -> None:
        line = {
            "iteration": fitting.iterations,
            "epoch": fitting.iterations / self._iterations_per_epoch,
            "seconds": fitting.seconds,
            **figures,
        }
        if self._file is not None:
            _write_all(self._file, msgspec.json.encode(line) + b"\n")
        if self._on_metrics is not None:
            self._on_metrics(line)


def _read(line: bytes) -> dict[str, Any] | None:
    """A line that is whole."""
    try:
        found = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    return found if line.endswith(b"\n") and isinstance(found.get("iteration"), int) else None


def _write_all(file: FileIO, content: bytes) -> None:
    """A disk that is almost full takes a part of a line, and says so when it gets the rest."""
    while content:
        content = content[file.write(content) :]
