"""A trained network exported: its outputs are torch's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

import tvnsearch
from tests.api.conftest import CLASSES
from tests.search.fakes import make_plan, measurement
from tvnsearch.api import export_model as module
from tvnsearch.api import exported as timed
from tvnsearch.api.trained_model import ModelCard, load_model, load_network, write_model
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.search import Journal
from tvnsearch.search.settings import DeviceSettings


def test_the_exported_network_answers_as_the_trained_one(net: Path, tmp_path: Path) -> None:
    exported = tvnsearch.export_model(net, tmp_path / "net.onnx")
    assert exported.path == str(tmp_path / "net.onnx")
    assert exported.max_relative_error < 1e-3
    session = onnxruntime.InferenceSession(exported.path)
    clip = np.random.default_rng(0).normal(size=(1, 8, 16, 16, 3)).astype(np.float32)
    [logits] = session.run(None, {session.get_inputs()[0].name: clip})
    with torch.inference_mode():
        expected = load_network(load_model(net))(torch.from_numpy(clip)).numpy()
    assert logits == pytest.approx(expected, abs=1e-4)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(CLASSES)


def test_the_exported_network_is_timed_as_a_run_measured(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran_on: list[Device] = []

    def run(path: Path, device: Device, limit_ms: float | None) -> object:
        assert path == tmp_path / "net.onnx"
        ran_on.append(device)
        return measurement(2.1)

    monkeypatch.setattr(timed, "time_export", run)
    exported = tvnsearch.export_model(net, tmp_path / "net.onnx").exported
    assert exported is not None
    assert (exported.latency_ms, exported.max_ms, exported.keeps_budget) == (2.1, None, None)
    plan = replace(make_plan(), device=DeviceSettings(batch=2))
    Journal.create(tmp_path / "run", plan).close()
    shutil.copytree(net, tmp_path / "run" / "winner")
    exported = tvnsearch.export_model(tmp_path / "run", tmp_path / "net.onnx").exported
    assert exported is not None
    assert (exported.clips, exported.max_ms, exported.keeps_budget) == (2, plan.budget.max_ms, False)
    card = ModelCard(CLASSES, multi_label=False, device=DeviceSettings(batch=4), max_ms=3.0)
    write_model(tmp_path, load_zoo("tvn-m-2"), card)
    monkeypatch.setattr(module, "export_winner", lambda *asked: 0.0)
    exported = tvnsearch.export_model(tmp_path, tmp_path / "net.onnx").exported
    assert exported is not None
    assert (exported.clips, exported.max_ms, exported.keeps_budget) == (4, 3.0, True)
    assert ran_on == [Device("cpu"), Device("cpu", batch=2), Device("cpu", batch=4)]


def test_another_format_is_a_sentence(net: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected --format to be one of onnx, .*, got 'tflite'"):
        tvnsearch.export_model(net, tmp_path / "net.tflite", file_format="tflite")


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    genome, card = load_zoo("tvn-m-2"), ModelCard(("a", "b"), True, data="charades:/clips")
    write_model(tmp_path, genome, card)
    model = load_model(str(tmp_path))
    assert (model.genome, model.card, model.weights) == (genome, card, tmp_path / "weights.safetensors")
