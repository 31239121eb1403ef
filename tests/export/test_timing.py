"""How long an exported file takes: in ONNX Runtime itself, and out of three processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement, Timing
from tvnsearch.devices.timing import Plan
from tvnsearch.errors import UserError
from tvnsearch.export import task, timing
from tvnsearch.export.timing import time_export
from tvnsearch.export.write import export_network
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.network import build_network
from tvnsearch.workers import WorkerDiedError


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    genome = Genome(square_input(8, 2), (Block((SpatialConv(4, 3),)),))
    export_network(build_network(genome, 3).eval(), path, {})
    return path


def test_a_file_is_run_in_fresh_processes(exported: Path) -> None:
    measured = time_export(exported, Device("cpu"), max_seconds=0.6)
    if measured.ci_low_ms is not None and measured.ci_high_ms is not None:
        assert 0 < measured.ci_low_ms <= measured.latency_ms <= measured.ci_high_ms
    assert not measured.trusted or measured.ci_low_ms is not None
    assert measured.p50_ms <= measured.p90_ms <= measured.p99_ms
    assert measured.samples + measured.disturbed >= timing.PROCESSES
    assert measured.trusted == (not measured.reason)


def test_a_file_whose_name_is_no_text_is_run(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xe9.onnx")
    shutil.copy(exported, path)
    assert time_export(path, Device("cpu"), max_seconds=0.3).samples


def test_what_is_no_onnx_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(
        UserError, match=r"an exported network in .*model\.onnx, but ONNX Runtime does not open it"
    ):
        time_export(tmp_path / "model.onnx", Device("cpu"))


class OnePass:
    """Runs once what it shall time."""

    def __init__(self, device: Device) -> None:
        assert device.name == "cpu"

    def measure_run(self, run: Callable[[], None], plan: Plan) -> Timing:
        run()
        return Timing([])


def test_a_pass_is_as_many_clips_as_the_device_takes_together_on_its_threads(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    threads: list[int] = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, path: str, options: Any, **more: Any) -> None:
            threads.append(options.intra_op_num_threads)
            super().__init__(path, options, **more)

        def run(self, names: object, fed: Mapping[str, np.ndarray[Any, Any]]) -> Any:
            shapes.append(fed["clips"].shape)
            return super().run(names, fed)

    monkeypatch.setattr(task, "NetworkTimer", OnePass)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    device = msgspec.to_builtins(Device("cpu", threads=2, batch=3))
    task.measure_task(str(exported), device, msgspec.to_builtins(Plan(1.0)), lambda message: None)
    assert (threads, shapes) == ([2], [(1, 2, 8, 8, 3)] * 3)


def _timing(latency_ms: float, copy_ns: int) -> Timing:
    measured = Measurement(
        latency_ms, latency_ms * 0.999, latency_ms * 1.001, latency_ms, latency_ms, latency_ms, 12, 1, True
    )
    return Timing([measured], copy_ns, 1000)


class Processes:
    """Workers that answer what they are told, one after the other."""

    def __init__(self, *answers: Timing | Exception) -> None:
        self._answers = iter(answers)
        self.plans: list[Plan] = []

    def __call__(self, module: str, threads: int) -> Processes:
        assert module == "tvnsearch.export.task"
        return self

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        self.plans.append(msgspec.convert(params["plan"], Plan))
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return msgspec.to_builtins(answer)


def test_three_processes_are_one_figure(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "Worker", Processes(_timing(2.02, 1010), _timing(2.0, 1000), _timing(2.0, 1)))
    measured = time_export(exported, Device("cpu"))
    assert (measured.latency_ms, measured.samples, measured.trusted) == (2.0, 36, True)
    assert (measured.ci_low_ms, measured.ci_high_ms) == pytest.approx((1.998, 2.02202))


@pytest.mark.parametrize(("limit_ms", "seconds"), [(None, 10 / 3), (2.0, 10 / 3), (1500.0, 30.0)])
def test_a_budget_of_long_passes_is_given_the_time_of_enough_of_them(
    exported: Path, monkeypatch: pytest.MonkeyPatch, limit_ms: float | None, seconds: float
) -> None:
    processes = Processes(*[_timing(1.0, 1000)] * 3)
    monkeypatch.setattr(timing, "Worker", processes)
    time_export(exported, Device("cpu"), limit_ms)
    assert [(plan.max_seconds, plan.limit_ms) for plan in processes.plans] == [(seconds, limit_ms)] * 3


def test_slow_memory_is_not_trusted(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        timing, "Worker", Processes(*[_timing(2.0, copy_ns) for copy_ns in (1000, 1300, 1000)])
    )
    assert "memory ran at 77 % of its best speed" in time_export(exported, Device("cpu")).reason


def test_a_process_that_dies_is_a_sentence(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "Worker", Processes(WorkerDiedError("a worker process ended with code -9")))
    with pytest.raises(UserError, match="ended with code -9"):
        time_export(exported, Device("cpu"))
