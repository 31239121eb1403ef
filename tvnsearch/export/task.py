"""Timing of an exported file for another process: ``python -m tvnsearch.export.task`` in a Worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Timing
from tvnsearch.devices.network_timer import NetworkTimer
from tvnsearch.devices.timing import Plan
from tvnsearch.export.formats import open_export
from tvnsearch.workers import Progress, serve


def measure_task(path: str, device: dict[str, Any], plan: dict[str, Any], progress: Progress) -> Timing:
    """Time the file at ``path`` in its runtime on a CPU, ``device``; ``plan`` is a ``timing.Plan``."""
    processor = msgspec.convert(device, Device)
    timer = NetworkTimer(processor)  # first: the runtime's threads are started on the cores of this process
    opened = open_export(Path(path), processor.threads)
    taken, *sizes = opened.shape
    together = taken if taken > 0 else processor.batch
    clips = np.full((together, *sizes), 0.5 if opened.dtype == np.float32 else 128, opened.dtype)
    passes = -(-processor.batch // together)

    def run() -> None:
        for _ in range(passes):
            opened.run(clips)

    return timer.measure_run(run, msgspec.convert(plan, Plan))


if __name__ == "__main__":
    serve({"measure": measure_task})
