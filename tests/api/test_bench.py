from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import tvnsearch
from tests.search.fakes import measurement
from tvnsearch.api import bench as module
from tvnsearch.devices import Device, Measurement
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network import build_network

GENOME = Genome(square_input(16, 2), (Block((SpatialConv(8, 3, 2, "relu"), TemporalConv(8, 2))),))


def test_runtimes_are_run_and_told_apart() -> None:
    benched = tvnsearch.bench(GENOME, ["eager", "onnxruntime"], classes=3, max_seconds=0.6)
    rows = {(row.backend, row.precision): row for row in benched.runtimes}
    assert {("eager", "float32"), ("onnxruntime", "float32"), ("onnxruntime", "int8")} <= rows.keys()
    assert rows["eager", "float32"].to_eager == 1
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        build_network(GENOME, 3).eval()(torch.zeros(1, 2, 16, 16, 3))
    assert benched.gflops == pytest.approx(counted.get_total_flops() / 1e9)


def test_ratios_are_of_one_round_and_the_quickest_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second round was in a slow phase, which met both."""
    taken_ms = {
        "eager": iter((2.0, 8.0, 2.0)),
        "onnxruntime": iter((1.0, 4.0, 1.6)),
    }

    def measured(device: Device, *asked: object) -> Measurement:
        if device.precision != "float32" or device.backend not in taken_ms:
            raise tvnsearch.UserError("it has gone")
        return measurement(next(taken_ms[device.backend]))

    monkeypatch.setattr(module, "_measured", measured)
    benched = tvnsearch.bench(GENOME, ["eager", "onnxruntime", "openvino"], classes=3)
    assert [(row.backend, row.latency_ms, row.to_eager) for row in benched.runtimes] == [
        ("onnxruntime", 1.6, 0.5),
        ("eager", 2.0, 1.0),
    ]
    assert benched.left_out["openvino float32"] == "it has gone"


def test_an_unknown_backend_is_one_sentence() -> None:
    with pytest.raises(tvnsearch.UserError, match=r"expected a backend of eager, .*, but 'onxruntime' came"):
        tvnsearch.bench(GENOME, ["onxruntime"])
    with pytest.raises(tvnsearch.UserError, match="cuda-graph runs on cuda only"):
        tvnsearch.bench(GENOME, ["cuda-graph"])
