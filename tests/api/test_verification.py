"""An exported file on real clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tvnsearch
from tests.api.watches import Heard
from tests.search.fakes import measurement
from tvnsearch.api import exported as timed
from tvnsearch.api.evaluate import clips_to_score
from tvnsearch.api.trained_model import ModelCard, TrainedModel, load_model, load_network, write_model
from tvnsearch.api.verification import agreement_line, verify_on_clips
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.export.options import GraphOptions
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network.build import build_network
from tvnsearch.training.evaluation import predict
from tvnsearch.training.weights import save_weights

CLASSES = ("0-down", "0-left", "0-right", "0-up")


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(timed, "time_export", lambda path, device, limit_ms: measurement(1.5))
    generate(tmp_path / "clips", ClipsPerClass(2, 2, 2), digits=[0])
    return tmp_path / "clips"


def _model(folder: Path, seed: int) -> TrainedModel:
    torch.manual_seed(seed)
    genome = Genome(square_input(16, 3), (Block((SpatialConv(4, 3), TemporalConv(4, 2))),))
    save_weights(build_network(genome, len(CLASSES)), folder / "weights.safetensors")
    write_model(folder, genome, ModelCard(CLASSES, False))
    return load_model(folder)


def test_a_file_agrees_with_its_network_on_every_clip(clips: Path, tmp_path: Path) -> None:
    _model(tmp_path / "net", 0)
    exported = tvnsearch.export_model(
        tmp_path / "net", tmp_path / "net.onnx", layout="NCTHW", batch=3, uint8=True, verify_on=clips
    )
    assert exported.on_clips is not None
    assert (exported.on_clips.clips, exported.on_clips.top1_agreement) == (24, 1.0)
    assert exported.on_clips.max_relative_error < 1e-4
    assert "on 24 clips of" in agreement_line(exported.on_clips)


def test_what_other_weights_would_say_is_counted(clips: Path, tmp_path: Path) -> None:
    """As scoring does it, by its own loader."""
    one, other = _model(tmp_path / "one", 0), _model(tmp_path / "other", 1)
    cache = clips_to_score(one, str(clips), None, "all", 0)
    cache.prepare(splits=("test",))

    def scores(model: TrainedModel) -> np.ndarray[Any, Any]:
        return predict(load_network(model), cache, cache.dataset.test, model.genome.input)[0]

    for model in (one, other):  # untrained networks name one class alone: let them name several
        network = load_network(model)
        network.head.classifier.bias.data -= torch.from_numpy(scores(model).mean(0))
        save_weights(network, model.weights)
    path = tmp_path / "one.onnx"
    tvnsearch.export_model(tmp_path / "one", path)
    found = verify_on_clips(other, tmp_path / "other", path, GraphOptions(), str(clips), Heard().watch)
    of_one, of_other = scores(one), scores(other)
    assert found is not None
    assert 0 < found.top1_agreement == np.mean(of_one.argmax(1) == of_other.argmax(1)) < 1
    error = np.abs(of_one - of_other).max() / np.abs(of_other).max()
    assert found.max_relative_error == pytest.approx(error, rel=1e-3)


def test_clips_of_other_classes_are_a_sentence(clips: Path, tmp_path: Path) -> None:
    model = _model(tmp_path / "net", 0)
    write_model(tmp_path / "net", model.genome, ModelCard(("a", "b", "c", "d"), False))
    with pytest.raises(UserError, match="but they show others"):
        tvnsearch.export_model(tmp_path / "net", tmp_path / "net.onnx", verify_on=clips)
