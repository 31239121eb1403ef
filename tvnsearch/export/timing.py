"""How long an exported file takes in its runtime, by the protocol that times networks. Imports no torch."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement, Timing
from tvnsearch.devices.meter import SPREAD_SECONDS
from tvnsearch.devices.processes import HALF_WIDTH_PERCENT, PROCESSES, combined
from tvnsearch.devices.timing import Plan
from tvnsearch.errors import UserError
from tvnsearch.export.formats import format_of
from tvnsearch.workers import Worker, WorkerDiedError, WorkerFailedError

TASK = "tvnsearch.export.task"
MAX_SECONDS = 10.0

PASSES = 60
"""So many give three processes twice the samples that an interval needs, where each is disturbed once."""


def time_export(
    path: Path, processor: Device, limit_ms: float | None = None, max_seconds: float | None = None
) -> Measurement:
    """Time the file at ``path`` on ``processor``, a CPU with so many threads, in three fresh processes.

    Its runtime goes by its suffix. A pass is ``processor.batch`` clips: together, where the file takes any
    number, otherwise one after the other, as many at once as it takes. ``max_seconds``
    bounds the passes of all processes: by default 10 s, or what PASSES at ``limit_ms`` take if that is more.
    What lies far below ``limit_ms`` is not measured longer than that takes.

    Raises:
        UserError: it cannot be run.
    """
    file_format = format_of(path)
    seconds = (MAX_SECONDS if limit_ms is None else max(MAX_SECONDS, PASSES * limit_ms / 1e3)) / PROCESSES
    if max_seconds is not None:
        seconds = max_seconds / PROCESSES
    plan = Plan(seconds, min(SPREAD_SECONDS, seconds), HALF_WIDTH_PERCENT, limit_ms=limit_ms)
    params = {
        "path": str(path),
        "device": msgspec.to_builtins(processor),
        "plan": msgspec.to_builtins(plan),
    }
    timings: list[Timing] = []
    for _ in range(PROCESSES):
        try:
            with Worker(TASK, processor.threads) as worker:
                timings.append(msgspec.convert(worker.call("measure", params), Timing))
        except (WorkerDiedError, WorkerFailedError) as error:
            raise UserError(
                f"expected to time {path} in {file_format.runtime}, but that failed ({error}); free some "
                "memory, or install other versions of the packages, "
                f"`pip install --upgrade '{file_format.requirement}'`"
            ) from None
    copies_ns = [timing.copy_ns for timing in timings if timing.copy_ns is not None]
    best_ns = [timing.best_copy_ns for timing in timings if timing.best_copy_ns is not None]
    slowness = max(copies_ns) / min(best_ns) if copies_ns and best_ns else 1.0
    return combined([timing.measurements[0] for timing in timings], slowness)
