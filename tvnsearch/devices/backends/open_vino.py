"""OpenVINO on the processor, on the graph that an export writes."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tvnsearch.devices.backends.graphs import graph_for
from tvnsearch.devices.backends.parts import Division, Kernel, divide
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.export.formats.openvino import SETTINGS, properties
from tvnsearch.network import TinyVideoNetwork

WATCHED_PASSES = 12
WATCHED_SECONDS = 0.3
"""Counters are means over all passes, of which the first finds cold caches: two, and more in this time."""


class OpenVinoNetwork:
    """A compiled model, and the clips that it is timed on."""

    def __init__(self, network: TinyVideoNetwork, device: Device) -> None:
        self._model = _core().read_model(graph_for(network, device), b"")
        self._settings = properties(device.threads, device.precision)
        self._names = [name for name, _ in network.trace.named_calls()]
        self._clips = np.full((device.batch, *network.trace.in_shape), 0.5, np.float32)
        self._request = self._requested(self._settings)

    def run(self) -> None:
        """One forward pass."""
        self._request.infer(share_outputs=True)

    def logits(self, clips: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of clips."""
        self._request.set_input_tensor(openvino.Tensor(clips))
        logits = np.array(self._request.infer()[0], np.float32)
        self._request.set_input_tensor(openvino.Tensor(self._clips))
        return logits

    def division(self) -> Division:
        """By the counters of a second request: one that counts takes longer."""
        request = self._requested({**self._settings, "PERF_COUNT": True})
        end = time.monotonic() + WATCHED_SECONDS
        for number in range(WATCHED_PASSES):
            if number < 2 or time.monotonic() < end:
                request.infer()
        executed = request.get_compiled_model().get_runtime_model().get_ordered_ops()
        return divide([_kernel(operation) for operation in executed], self._names)

    def _requested(self, settings: dict[str, Any]) -> Any:
        request = _core().compile_model(self._model, "CPU", settings).create_infer_request()
        request.set_input_tensor(openvino.Tensor(self._clips))
        return request


def prepare(network: TinyVideoNetwork, device: Device) -> OpenVinoNetwork:
    """Compile a folded network.

    Raises:
        UserError: the processor does not compute in the precision.
    """
    if device.precision == "bfloat16" and "BF16" not in _core().get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        raise UserError(
            "expected a processor that multiplies bfloat16, but OpenVINO finds none here; "
            "say --precision float32"
        )
    return OpenVinoNetwork(network, device)


def versions() -> dict[str, str]:
    """Kernels change between versions, and latencies with every setting."""
    written = ", ".join(f"{name}={value}" for name, value in sorted(SETTINGS.items()))
    return {"openvino": str(openvino.get_version()), "openvino settings": written}


@cache
def _core() -> Any:
    return openvino.Core()


def _kernel(operation: Any) -> Kernel:
    """What a node of the executed graph fused; a copy between layouts is named after both of its ends."""
    noted = operation.get_rt_info()
    fused, took = (_text(noted, key) for key in ("originalLayersNames", "execTimeMcs"))
    microseconds = float(took) if took.replace(".", "", 1).isdigit() else 0.0
    if not fused:  # a copy: for the node that reads it
        name = operation.get_friendly_name()
        fused = name[max(name.rfind("block"), name.rfind("_head/") + 1) :] if "/" in name else name
    return Kernel(fused, microseconds * 1e3)


def _text(noted: Any, key: str) -> str:
    if key not in noted:
        return ""
    value = noted[key]
    return str(getattr(value, "value", value))
