"""The graph that a runtime is given: what an export writes, in the device's precision."""

from __future__ import annotations

from tvnsearch.devices.device import Device
from tvnsearch.export.graph import GraphOptions, onnx_model
from tvnsearch.export.graph.quantised import quantised, synthetic_ranges
from tvnsearch.network import TinyVideoNetwork


def graph_for(network: TinyVideoNetwork, device: Device) -> bytes:
    """The content of an ONNX file of a folded network for passes of ``device.batch`` clips.

    In int8 the ranges of its features are made up: it takes as long as one that is calibrated on clips.
    """
    model = onnx_model(network, GraphOptions(batch=device.batch))
    if device.precision == "int8":
        model = quantised(model, synthetic_ranges(model))
    content: bytes = model.SerializeToString()
    return content
