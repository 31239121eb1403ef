from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from tests.devices.every_layer import EVERY_LAYER
from tests.network.figures import with_figures
from tvnsearch.export.graph import onnx_model
from tvnsearch.export.graph.quantised import QUANTISED, calibrated_ranges, quantised
from tvnsearch.network import build_network, deployed

NAMES = ("space-3-by-2", "time-by-1", "gates", "residual", "inverted", "channel-time")


@pytest.mark.parametrize("name", NAMES)
def test_ranges_of_clips_keep_what_is_computed_from_them(name: str) -> None:
    network = with_figures(build_network(EVERY_LAYER[name], 5))
    clips = torch.rand(8, *network.trace.in_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(clips).numpy()
    model = onnx_model(deployed(network))
    batches = [clip[None].numpy() for clip in clips]
    session = onnxruntime.InferenceSession(
        quantised(model, calibrated_ranges(model, batches)).SerializeToString()
    )
    computed = np.concatenate([session.run(None, {"clips": batch})[0] for batch in batches])
    difference = np.abs(computed - expected).max() / np.abs(expected).max()
    assert 1e-4 < difference < 0.1
    assert (computed.argmax(1) == expected.argmax(1)).mean() >= 0.75


def test_everything_that_multiplies_reads_bytes() -> None:
    model = onnx_model(deployed(with_figures(build_network(EVERY_LAYER["residual"], 5))))
    batch = np.random.default_rng(0).random((1, 5, 13, 11, 3), np.float32)
    graph = quantised(model, calibrated_ranges(model, [batch])).graph
    produced = {output: node.op_type for node in graph.node for output in node.output}
    multiplying = [node for node in graph.node if node.op_type in QUANTISED]
    assert multiplying
    assert all(produced[name] == "DequantizeLinear" for node in multiplying for name in node.input[:2])
