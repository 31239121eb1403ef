"""What model hubs and viewers read of a network that was handed over."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from msgspec.structs import replace
from torch.nn import functional

from tests.search.fakes import make_plan, measurement
from tvnsearch.api import exported as timed
from tvnsearch.api.exported import time_exported
from tvnsearch.api.model_hub import model_card, write_configs, write_layer_times
from tvnsearch.api.status import FinalScores
from tvnsearch.api.trained_model import ModelCard, TrainedModel, export_winner, load_model, write_model
from tvnsearch.api.watching import SILENT
from tvnsearch.data.sampling import middle_crop, normalise, resize
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.genome.trace import trace
from tvnsearch.network.build import build_network
from tvnsearch.search.progress.status import NetworkSummary
from tvnsearch.search.settings import DeviceSettings
from tvnsearch.training.weights import save_weights

CLASSES = ("no", 'say "hi": now', "*up")
GENOME = Genome(square_input(16, 3, 2), (Block((SpatialConv(4, 3), TemporalConv(4, 2))),))
SCORES = FinalScores(7, 100, 1 / 3, 0.625, 0.9, None, 60.0, 1e-6)


@pytest.fixture
def model(tmp_path: Path) -> TrainedModel:
    torch.manual_seed(0)
    save_weights(build_network(GENOME, 3), tmp_path / "weights.safetensors")
    write_model(tmp_path, GENOME, ModelCard(CLASSES, False, data="class-folders:/home/me/my clips"))
    return load_model(tmp_path)


def test_the_card_begins_with_what_hubs_index_and_tells_the_budget_and_the_file(model: TrainedModel) -> None:
    file = replace(_timed(model.weights.parent / "model.onnx"), latency_ms=1.5, ci_low_ms=1.4, ci_high_ms=1.6)
    text = model_card(model, replace(SCORES, exported=file), make_plan(), None, False)
    _, head, body = text.split("---\n", 2)
    told = yaml.safe_load(head)
    assert (told["pipeline_tag"], told["library_name"]) == ("video-classification", "tvnsearch")
    [result] = told["model-index"][0]["results"]
    assert result["dataset"]["name"] == "my clips"
    assert [(metric["name"], metric["value"]) for metric in result["metrics"]] == [
        ("top-1 accuracy", 0.625),
        ("top-5 accuracy", 0.9),
    ]
    assert f"a budget of {make_plan().budget.max_ms:g} ms on `cpu`" in body
    assert "numpy.zeros((1, 3, " in body
    together = replace(SCORES, exported=replace(file, together=4))
    assert "numpy.zeros((4, 3, " in model_card(model, together, make_plan(), None, False)
    assert "takes 1.50 ms (95 % interval 1.40 to 1.60 ms) in ONNX Runtime on the CPU" in body
    assert "top-1 62.5%" in body and "/home/me" not in text


@pytest.mark.parametrize(
    ("promised", "told"), [(True, "this keeps the budget"), (False, "no promise: noisy")]
)
def test_the_card_promises_what_the_run_promises(model: TrainedModel, promised: bool, told: str) -> None:
    """A reading far below the budget is believed of that, also where its figure is not trusted."""
    figures = (1.5, 1.4, 1.6, False, "noisy", 10, 20, 0.9, False, None, 0.6, 0.9, None)
    winner = NetworkSummary(SCORES.number, GENOME, "0" * 12, *figures, {})
    assert told in model_card(model, SCORES, make_plan(), winner, promised)


def test_the_preprocessing_that_is_told_gives_what_the_network_was_trained_on(model: TrainedModel) -> None:
    """Followed step by step in torch, on frames of another shape."""
    write_configs(model.weights.parent, model)
    told = json.loads((model.weights.parent / "video_preprocessor_config.json").read_bytes())
    assert (told["num_frames"], told["fps"]) == (3, 15)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 3), np.uint8)
    frames = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    short = told["size"]["shortest_edge"]
    resized = functional.interpolate(frames, (short, 2 * short), mode="bilinear", antialias=True)
    left = (2 * short - told["crop_size"]["width"]) // 2
    cut = resized[..., left : left + told["crop_size"]["width"]].double() * told["rescale_factor"]
    mean, deviation = (torch.tensor(told[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
    top, left, height, width = middle_crop(32, 64, GENOME.input)
    own = normalise(resize(pixels[:, top : top + height, left : left + width], GENOME.input))
    inside = (slice(None), slice(2, -2), slice(2, -2))  # at the edges a crop before sees no neighbours
    expected = ((cut - mean) / deviation).permute(0, 2, 3, 1).numpy()
    assert own[inside] == pytest.approx(expected[inside], abs=0.03)
    config = json.loads((model.weights.parent / "config.json").read_bytes())
    assert [config["id2label"][str(number)] for number in range(3)] == list(CLASSES)
    assert config["label2id"] == {name: number for number, name in enumerate(CLASSES)}


def _timed(path: Path) -> timed.ExportedLatency:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timed, "time_export", lambda path, device, limit_ms: measurement(1.5))
        found = time_exported(path, DeviceSettings(), None, SILENT)
    assert found is not None
    return found


def test_milliseconds_of_layers_add_up_to_the_files_and_are_of_its_nodes(model: TrainedModel) -> None:
    folder = model.weights.parent
    path = folder / "model.onnx"
    export_winner(model, path)
    write_layer_times(model, path, _timed(path))
    told = json.loads((folder / "layers_ms.json").read_bytes())
    calls = {name for name, _ in trace(GENOME, 3).named_calls()}
    assert told["layers_ms"].keys() <= calls
    assert len(told["layers_ms"]) > len(calls) / 2
    assert sum(told["layers_ms"].values()) == pytest.approx(told["latency_ms"], rel=1e-2)
    nodes = json.loads((folder / "model.onnx.node_data.json").read_bytes())
    outputs = {name for node in onnx.load(path).graph.node for name in node.output}
    assert nodes["results"].keys() <= outputs
    assert sorted(each["value"] for each in nodes["results"].values()) == sorted(told["layers_ms"].values())
