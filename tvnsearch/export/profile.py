"""Which share of an ONNX file's time each layer call takes, by ONNX Runtime's own profile."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

PASSES, WARM_UP = 20, 3
END = "_kernel_time"


def layer_shares(path: Path, threads: int) -> dict[str, float]:
    """The share of each layer call in the kernels of a pass, in the order in which they are executed.

    Profiling distorts what it times, so that it only divides. Kernels that the runtime adds (reorders) count
    to the layer call in whose midst, or behind which, they run.
    """
    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        [clips] = session.get_inputs()
        values = np.full(clips.shape, 0.5, np.float32)
        for _ in range(WARM_UP + PASSES):
            session.run(None, {clips.name: values})
        events = json.loads(Path(session.end_profiling()).read_bytes())
    layers = {node.split("/")[0] for node in _kernels(events) if "/" in node}
    totals: defaultdict[str, float] = defaultdict(float)
    layer = ""
    for kernel, durations_us in _kernels(events).items():
        layer = kernel.split("/")[0] if kernel.split("/")[0] in layers else layer
        totals[layer] += median(durations_us[-PASSES:])
    whole = sum(totals.values())
    return {name: total / whole for name, total in totals.items()}


def _kernels(events: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """The durations of each kernel, in the order of a pass."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(END):
            found[event["name"].removesuffix(END)].append(event["dur"])
    return found
