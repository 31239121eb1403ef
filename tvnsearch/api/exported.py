"""What an exported file takes in its runtime, and whether that keeps the budget of the search."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict

from tvnsearch.api.watching import Watch
from tvnsearch.cores import usable_cores
from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement, written_interval
from tvnsearch.errors import UserError
from tvnsearch.export.formats import format_of, format_of_backend
from tvnsearch.export.options import GraphOptions, Stored
from tvnsearch.export.timing import time_export
from tvnsearch.search.settings import DeviceSettings

IN_TORCH = "torch"


class ExportedLatency(Measurement, frozen=True, kw_only=True):
    """An exported file's latency in its ``runtime`` on the CPU, in its ``precision``, with ``threads``.

    It is that of ``clips``, as many as the search measured together or a whole pass of the file, of which
    ``together`` go through in one pass. The budget is ``max_ms``, and the file keeps it if its whole interval
    does; both are None where there is no budget, or that of another device or of fewer clips.
    ``searched_in`` is what the search measured in.
    """

    threads: int
    clips: int
    max_ms: float | None
    keeps_budget: bool | None
    file: str = "model.onnx"
    runtime: str = "ONNX Runtime"
    precision: Stored = "float32"
    searched_in: str = IN_TORCH
    together: int = 1


def time_exported(
    path: Path,
    device: DeviceSettings,
    max_ms: float | None,
    watch: Watch,
    options: GraphOptions | None = None,
) -> ExportedLatency | None:
    """Time the file at ``path`` with the threads and the batch of ``device``; None where it cannot be run.

    Only on this machine's CPU: where networks were measured on another device, or elsewhere, their budget of
    ``max_ms`` says nothing. ``options`` are those that the file was written with. ``watch`` is told that it
    is timed, and why that failed.
    """
    runtime, options = format_of(path).runtime, options or GraphOptions()
    watch.say(f"timing {path.name} in {runtime}, in three processes")
    together = device.batch if options.batch is None else options.batch
    clips = -(-device.batch // together) * together
    threads = min(device.threads, len(usable_cores()))
    budget_ms = max_ms if device.name == "cpu" and clips == device.batch else None
    try:
        measured = time_export(path, Device("cpu", threads=threads, batch=device.batch), budget_ms)
    except UserError as error:
        watch.say(f"{path.name} is not timed: {error}")
        return None
    return ExportedLatency(
        **asdict(measured),
        threads=threads,
        clips=clips,
        max_ms=budget_ms,
        keeps_budget=None if budget_ms is None else measured.decides(budget_ms),
        file=path.name,
        runtime=runtime,
        precision=options.precision,
        searched_in=_searched_in(device),
        together=together,
    )


def _searched_in(device: DeviceSettings) -> str:
    searched = format_of_backend(device.backend)
    return IN_TORCH if searched is None else _in_words(searched.runtime, device.precision)


def _in_words(runtime: str, precision: str) -> str:
    return f"{runtime} in {precision}"


def exported_line(name: str, exported: ExportedLatency) -> str:
    """What the file called ``name`` takes, on what, and whether it keeps the budget; for people."""
    clips = f", {exported.clips} clips {_in_passes(exported)}" if exported.clips > 1 else ""
    interval = interval_told(exported.ci_low_ms, exported.ci_high_ms)
    line = (
        f"{name} takes {exported.latency_ms:.2f} ms ({interval}) "
        f"in {exported.runtime} on the CPU, in {exported.precision} with {exported.threads} thread(s){clips}"
    )
    if exported.keeps_budget:
        line += f", and keeps the budget of {exported.max_ms:g} ms"
    elif exported.keeps_budget is False:
        line += f", and does not keep the budget of {exported.max_ms:g} ms: " + (
            f"what was promised was measured in {exported.runtime} too, at another minute"
            if exported.searched_in == _in_words(exported.runtime, exported.precision)
            else f"what was promised holds for {exported.searched_in}, which `tvnsearch classify` runs, and "
            "not for this file"
        )
    elif exported.max_ms is not None:
        line += f", and whether it keeps the budget of {exported.max_ms:g} ms is not known"
    return line if exported.trusted else f"{line}; not trusted: {exported.reason}"


def interval_told(low_ms: float | None, high_ms: float | None) -> str:
    """A confidence interval in brackets, for people."""
    told = written_interval(low_ms, high_ms)
    return told if low_ms is None or high_ms is None else f"95 % interval {told} ms"


def _in_passes(exported: ExportedLatency) -> str:
    if exported.together == 1:
        return "one after the other"
    return "together" if exported.together == exported.clips else f"in passes of {exported.together}"
