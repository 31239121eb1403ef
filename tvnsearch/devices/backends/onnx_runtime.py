"""ONNX Runtime on the processor, on the graph that an export writes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tvnsearch.devices.backends.graphs import graph_for
from tvnsearch.devices.backends.parts import Division, Kernel, divide
from tvnsearch.devices.device import Device
from tvnsearch.export.formats.onnx import session_of, session_options
from tvnsearch.network import TinyVideoNetwork

WATCHED_PASSES = 3
"""The first finds cold caches; the others are counted."""


class OnnxRuntimeNetwork:
    """A session of one network, and the clips that it is timed on."""

    def __init__(self, network: TinyVideoNetwork, device: Device) -> None:
        self._content = graph_for(network, device)
        self._threads = device.threads
        self._names = [name for name, _ in network.trace.named_calls()]
        self._session = session_of(self._content, session_options(self._threads))
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
            session = session_of(self._content, options)
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


def _kernels(events: list[dict[str, Any]]) -> list[Kernel]:
    """The kernels of the passes after the first, the quickest time of each, in the order of the first.

    A kernel in blocked layout is named after its result, ``NODE.out_nchwc``; copies between layouts may have
    one name, and are told apart by their place in the graph.
    """
    taken: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            kernel = event["name"], event["args"].get("node_index", "")
            taken.setdefault(kernel, []).append(event["dur"] * 1e3)
    return [Kernel(name, min(times_ns[1:] or times_ns)) for (name, _), times_ns in taken.items()]
