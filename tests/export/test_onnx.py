from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from tests.genome.strategies import DIGITS
from tvnsearch.export.onnx import export_onnx
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.network import TinyVideoNetwork, build_network


def _trained_looking(network: TinyVideoNetwork) -> TinyVideoNetwork:
    """Statistics and scales that a folding mistake would show in."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.0)
    return network.eval()


def _networks() -> list[TinyVideoNetwork]:
    torch.manual_seed(0)
    rng = random.Random(5)
    genomes = [sample_genome(DIGITS, rng) for _ in range(5)]
    tvn = load_zoo("tvn-m-2")
    genomes.append(replace(tvn, input=replace(tvn.input, height=64, width=64)))
    genomes.append(replace(genomes[0], head="per_frame"))
    return [_trained_looking(build_network(genome, 6)) for genome in genomes]


def test_onnx_runtime_computes_what_torch_computes(tmp_path: Path) -> None:
    for index, network in enumerate(_networks()):
        path = tmp_path / f"{index}.onnx"
        error = export_onnx(network, path, {"classes": '["a"]'})
        clip = torch.randn(1, *network.trace.in_shape)
        with torch.inference_mode():
            expected = network(clip).numpy()
        computed = onnxruntime.InferenceSession(path).run(None, {"clips": clip.numpy()})[0]
        scale = np.abs(expected).max()
        assert np.abs(computed - expected).max() / scale < 1e-3
        assert 0 <= error < 1e-3
        assert {entry.key: entry.value for entry in onnx.load(path).metadata_props}["classes"] == '["a"]'


def test_a_wrong_export_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvnsearch.export.onnx.MOST_RELATIVE_ERROR", -1.0)
    with pytest.raises(RuntimeError, match="differs from torch"):
        export_onnx(_networks()[0], tmp_path / "model.onnx", {})
    assert list(tmp_path.iterdir()) == []
