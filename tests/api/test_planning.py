"""How a search is planned from a few short trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.requests import REQUEST
from tests.search.fakes import FakeLatency, NoProcess, make_plan, true_ms
from tvnsearch.api import planning
from tvnsearch.api.request import Request
from tvnsearch.genome import Genome
from tvnsearch.search import Budget
from tvnsearch.search.executors import Executor, SerialExecutor, Workforce
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import Progress


def test_fast_and_slow_networks_are_timed_and_scoring_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Genome] = []

    class Trainer(NoProcess):
        def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
            trained.append(msgspec.convert(params["genome"], Genome))
            times = {"seconds": 300.0, "fitting_seconds": 2.0, "iterations": 4}
            scores = {"fitness": 1.0, "top1": 0.4, "top5": 0.6, "mean_average_precision": None, "loss": 1.0}
            return msgspec.to_builtins(msgspec.convert(scores | times, TrainingResult))

    @contextmanager
    def open_workers(request: Request, workforce: Workforce) -> Iterator[Executor]:
        yield SerialExecutor(Trainer)

    monkeypatch.setattr(planning, "open_workers", open_workers)
    plan = make_plan(budget=Budget(REQUEST.max_ms))
    source = DataSource("digits", 0, str(tmp_path), 32)
    latency = FakeLatency()
    assert planning.seconds_per_iteration(plan, REQUEST, latency, source) == 0.5
    latencies_ms = [true_ms(genome) for genome in trained]
    assert len(latencies_ms) == planning.TRIALS
    assert max(latencies_ms) > 1.2 * min(latencies_ms)
    assert max(latencies_ms) > 0.8 * REQUEST.max_ms
