"""Timing of an exported file for another process: ``python -m tvnsearch.export.task`` in a Worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Timing
from tvnsearch.devices.network_timer import NetworkTimer
from tvnsearch.devices.timing import Plan
from tvnsearch.workers import Progress, serve


def measure_task(path: str, device: dict[str, Any], plan: dict[str, Any], progress: Progress) -> Timing:
    """Time the ONNX file at ``path`` on a CPU, ``device``; ``plan`` is a ``timing.Plan``.

    Threads that wait for their next pass sleep: else they would keep the yardstick from its cores.
    """
    processor = msgspec.convert(device, Device)
    timer = NetworkTimer(processor)  # first: the session's threads are started on the cores of this process
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processor.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    content = Path(path).read_bytes()  # ONNX Runtime opens no file whose name is no UTF-8
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    [clips] = session.get_inputs()
    fed = {clips.name: np.full(clips.shape, 0.5, np.float32)}

    def run() -> None:
        for _ in range(processor.batch):
            session.run(None, fed)

    return timer.measure_run(run, msgspec.convert(plan, Plan))


if __name__ == "__main__":
    serve({"measure": measure_task})
