"""Networks exported in int8, in ranges of the clips that they were trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import tvnsearch
from tests.search.fakes import measurement
from tvnsearch.api import exported as timed
from tvnsearch.api.evaluate import clips_to_score, kept_of
from tvnsearch.api.trained_model import load_model, load_network
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.training.evaluation import predict
from tvnsearch.training.recipe import Recipe

GENOME = Genome(square_input(16, 3), (Block((SpatialConv(8, 3, 2, "relu"), TemporalConv(8, 2))),))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that keeps its clips."""
    folder = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        generate(folder / "clips", ClipsPerClass(4, 3, 2), digits=[0])
        recipe = Recipe(iterations=3, batch_size=8)
        tvnsearch.train(GENOME, folder / "clips", recipe=recipe, out=folder / "net")
    return folder


@pytest.fixture(autouse=True)
def _quick(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(trained / "cache"))
    monkeypatch.setattr(timed, "time_export", lambda path, device, limit_ms: measurement(1.5))


@pytest.mark.parametrize(("file_format", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
@pytest.mark.parametrize("options", [{}, {"uint8": True, "layout": "NCTHW", "batch": 2}], ids=str)
def test_int8_says_what_it_costs_on_the_validation_clips(
    trained: Path, tmp_path: Path, file_format: str, suffix: str, options: dict[str, object]
) -> None:
    pytest.importorskip(file_format)
    out = tmp_path / f"model{suffix}"
    found = tvnsearch.export_model(trained / "net", out, file_format=file_format, int8=True, **options)  # type: ignore[arg-type]
    assert found.on_clips is not None
    assert found.on_clips.clips == 12
    assert 1e-5 < found.on_clips.max_relative_error < 0.3
    assert found.on_clips.top1_agreement >= 0.5
    model = load_model(trained / "net")
    cache = clips_to_score(model, model.card.data, kept_of(trained / "net"), "validation", 0)
    cache.prepare(splits=("validation",))
    clips = cache.dataset.splits["validation"]
    logits, labels = predict(load_network(model), cache, clips, GENOME.input)
    right = np.mean(logits.argmax(1) == labels.argmax(1) if labels.ndim > 1 else logits.argmax(1) == labels)
    assert found.on_clips.torch_top1 == pytest.approx(float(right))


def test_the_file_is_smaller_and_holds_bytes(trained: Path, tmp_path: Path) -> None:
    tvnsearch.export_model(trained / "net", tmp_path / "bytes.onnx", int8=True)
    weights = {each.data_type for each in onnx.load(tmp_path / "bytes.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in weights


def test_int8_of_what_keeps_no_clips_or_of_another_format_is_a_sentence(
    trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="expected --int8 with --format onnx, openvino, but"):
        tvnsearch.export_model(trained / "net", tmp_path / "a.pt2", file_format="torch-export", int8=True)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("genome.json", "model.json", "weights.safetensors"):
        (bare / name).write_bytes((trained / "net" / name).read_bytes())
    with pytest.raises(UserError, match="keeps none; export it in float32"):
        tvnsearch.export_model(bare, tmp_path / "a.onnx", int8=True)
    assert not (tmp_path / "a.onnx").exists()
