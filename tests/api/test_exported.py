"""What is said of an exported file's own latency, and what it is held to."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.api.watches import Heard
from tests.search.fakes import measurement
from tvnsearch.api import exported as module
from tvnsearch.api.exported import ExportedLatency, exported_line, time_exported
from tvnsearch.cores import usable_cores
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.search.settings import DeviceSettings

FILE = Path("winner/model.onnx")


def timed(
    monkeypatch: pytest.MonkeyPatch, settings: DeviceSettings, max_ms: float | None, latency_ms: float = 2.0
) -> tuple[ExportedLatency, list[Device]]:
    """A file that takes so long, give or take 2 %, and on what it was run."""
    ran_on: list[Device] = []

    def run(path: Path, device: Device, limit_ms: float | None) -> object:
        assert path == FILE
        assert limit_ms == (max_ms if settings.name == "cpu" else None)
        ran_on.append(device)
        return measurement(latency_ms)

    monkeypatch.setattr(module, "time_export", run)
    found = time_exported(FILE, settings, max_ms, Heard().watch)
    assert found is not None
    return found, ran_on


def test_the_file_keeps_the_budget_with_its_whole_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, _ = timed(monkeypatch, DeviceSettings(), 2.05)
    assert (kept.latency_ms, kept.max_ms, kept.keeps_budget) == (2.0, 2.05, True)
    assert exported_line("model.onnx", kept) == (
        "model.onnx takes 2.00 ms (95 % interval 1.96 to 2.04 ms) in ONNX Runtime on the CPU, in float32 "
        "with 1 thread(s), and keeps the budget of 2.05 ms"
    )
    over, _ = timed(monkeypatch, DeviceSettings(), 2.02)
    assert over.keeps_budget is False
    line = exported_line("model.onnx", over)
    assert "does not keep the budget of 2.02 ms" in line
    assert "holds for torch, which `tvnsearch classify` runs, and not for this file" in line


def test_a_file_runs_as_the_search_measured_as_far_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DeviceSettings(threads=10_000, precision="bfloat16", batch=4)
    found, ran_on = timed(monkeypatch, settings, 2.05)
    cores = len(usable_cores())
    assert ran_on == [Device("cpu", threads=cores, batch=4)]
    assert (found.threads, found.clips, found.keeps_budget) == (cores, 4, True)
    assert f"in float32 with {cores} thread(s), 4 clips one after the other" in exported_line("a", found)


def test_the_budget_of_another_device_is_none_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DeviceSettings(name="cuda", backend="cuda-graph")
    found, ran_on = timed(monkeypatch, settings, 0.5)
    assert ran_on == [Device("cpu")]
    assert (found.max_ms, found.keeps_budget) == (None, None)
    assert "budget" not in exported_line("model.onnx", found)


def test_what_cannot_be_trusted_is_said_with_its_reason() -> None:
    found = ExportedLatency(
        1.0,
        0.9,
        1.1,
        1.0,
        1.1,
        1.2,
        3,
        9,
        False,
        "too noisy",
        threads=1,
        clips=1,
        max_ms=2.0,
        keeps_budget=True,
    )
    assert exported_line("model.onnx", found).endswith("; not trusted: too noisy")


def test_without_an_interval_nothing_is_known_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = replace(measurement(1.0), ci_low_ms=None, ci_high_ms=None, trusted=False, reason="too noisy")
    monkeypatch.setattr(module, "time_export", lambda *_: noisy)
    found = time_exported(FILE, DeviceSettings(), 2.0, Heard().watch)
    assert found is not None
    assert exported_line("model.onnx", found) == (
        "model.onnx takes 1.00 ms (no interval) in ONNX Runtime on the CPU, in float32 with 1 thread(s), and "
        "whether it keeps the budget of 2 ms is not known; not trusted: too noisy"
    )


def test_a_file_that_cannot_be_run_is_said_and_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, device: Device, limit_ms: float) -> object:
        raise UserError("expected memory")

    monkeypatch.setattr(module, "time_export", fail)
    heard = Heard()
    assert time_exported(FILE, DeviceSettings(), 2.0, heard.watch) is None
    assert heard.said[-1] == "model.onnx is not timed: expected memory"
