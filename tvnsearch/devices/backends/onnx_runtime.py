"""ONNX Runtime on the processor, on the graph that an export writes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tvnsearch.devices.backends.graphs import graph_for
from tvnsearch.devices.backends.parts import Division, Kernel, divide
from tvnsearch.devices.device import Device
from tvnsearch.network import TinyVideoNetwork

WATCHED_PASSES = 3
"""The first finds cold caches; the others are counted."""


class OnnxRuntimeNetwork:
    """A session of one network, and the clips that it is timed on."""

    def __init__(self, network: TinyVideoNetwork, device: Device) -> None:
        self._content = graph_for(network, device)
        self._threads = device.threads
        self._names = [name for name, _ in network.trace.named_calls()]
        self._session = onnxruntime.InferenceSession(
            self._content, session_options(self._threads), providers=["CPUExecutionProvider"]
        )
        self._fed = {"clips": np.full((device.batch, *network.trace.in_shape), 0.5, np.float32)}

    def run(self) -> None:
        """One forward pass."""
        self._session.run(None, self._fed)

    def logits(self, clips: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of clips."""
        logits: NDArray[np.float32] = self._session.run(None, {"clips": clips})[0]
        return logits

    def division(self) -> Division:
        """By the profile of a second session: a watched one takes longer."""
        with tempfile.TemporaryDirectory() as folder:
            options = session_options(self._threads)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
            for _ in range(WATCHED_PASSES):
                session.run(None, self._fed)
            events = json.loads(Path(session.end_profiling()).read_bytes())
        return divide(_kernels(events), self._names)


def prepare(network: TinyVideoNetwork, device: Device) -> OnnxRuntimeNetwork:
    """Open a session of a folded network."""
    return OnnxRuntimeNetwork(network, device)


def versions() -> dict[str, str]:
    """Kernels change between versions."""
    return {"onnxruntime": onnxruntime.__version__}


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Those that everything here runs with.

    Threads that wait for their next pass sleep: else they would keep the yardstick from its cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _kernels(events: list[dict[str, object]]) -> list[Kernel]:
    """The kernels of the passes after the first, the quickest time of each, in the order of the first.

    A kernel in blocked layout is named after its result, ``NODE.out_nchwc``.
    """
    taken: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event["name"]).endswith("_kernel_time"):
            taken.setdefault(str(event["name"]), []).append(float(str(event["dur"])) * 1e3)
    return [Kernel(name, min(times_ns[1:] or times_ns)) for name, times_ns in taken.items()]
