"""Exported files scored in their runtimes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import tvnsearch
from tests.search.fakes import measurement
from tvnsearch.api import evaluate
from tvnsearch.api import exported as timed
from tvnsearch.api.evaluate import ModelReport, clips_to_score, kept_of
from tvnsearch.api.trained_model import load_model, load_network, write_model
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network.build import build_network
from tvnsearch.training import task
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.weights import save_weights

GENOME = Genome(square_input(16, 3), (Block((SpatialConv(8, 3, 2, "relu"), TemporalConv(8, 2))),))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that keeps its clips, whose network names several classes."""
    folder = tmp_path_factory.mktemp("file")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        generate(folder / "clips", ClipsPerClass(4, 6, 2), digits=[0])
        recipe = Recipe(iterations=3, batch_size=8)
        tvnsearch.train(GENOME, folder / "clips", recipe=recipe, out=folder / "net")
        model = load_model(folder / "net")
        network, logits = load_network(model), torch.from_numpy(of_clips(folder / "net", load_network(model)))
        network.head.classifier.bias.data -= logits.mean(0)
        network.head.classifier.weight.data *= 20
        network.head.classifier.bias.data *= 20
        save_weights(network, model.weights)
    return folder


@pytest.fixture(autouse=True)
def _quick(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(trained / "cache"))
    monkeypatch.setattr(timed, "time_export", lambda path, device, limit_ms: measurement(1.5))


class InProcess:
    """Scores in this process, which is quicker than to begin another."""

    def __init__(self, module: str, threads: int, **more: Any) -> None:
        assert module == "tvnsearch.training.task"

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def call(self, method: str, params: dict[str, Any], on_progress: Any) -> Any:
        assert method == "report"
        return msgspec.to_builtins(task.report_task(**params, progress=on_progress))


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluate, "Worker", InProcess)
        yield


def of_clips(net: Path, run: Any) -> np.ndarray[Any, Any]:
    """What ``run`` makes of the validation clips in one view each, that are normalised here."""
    from tvnsearch.data.sampling import look, middle_view

    model = load_model(net)
    cache = clips_to_score(model, model.card.data, kept_of(net), "validation", 0)
    cache.prepare(splits=("validation",))
    frames = [cache.frames(clip) for clip in cache.dataset.validation]
    pixels = np.stack([look(each, middle_view(each, GENOME.input), GENOME.input) for each in frames])
    with torch.inference_mode():
        scores: np.ndarray[Any, Any] = np.asarray(
            run(torch.from_numpy((pixels / 255 - 0.45) / 0.225).float())
        )
    return scores


def scored(net: Path, file: Path | None, views: str = "1x1") -> ModelReport:
    [found] = tvnsearch.evaluate(net, split="validation", views=views, file=file, threads=1).models
    return found


FILES: list[tuple[str, str, dict[str, Any]]] = [
    ("onnx", "a.onnx", {"uint8": True, "layout": "NCTHW", "batch": 5, "output": "softmax"}),
    ("openvino", "a.xml", {"batch": "any", "output": "sigmoid"}),
    ("torch-export", "a.pt2", {}),
    ("standalone", "plain", {}),
]


@pytest.fixture(scope="module")
def expected(trained: Path, in_process: None) -> ModelReport:
    """What torch scores, in two views a clip."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(trained / "cache"))
        return scored(trained / "net", None, "2x1")


@pytest.mark.parametrize(("file_format", "name", "options"), FILES, ids=str)
def test_a_float_file_scores_as_its_network(
    trained: Path,
    expected: ModelReport,
    tmp_path: Path,
    file_format: str,
    name: str,
    options: dict[str, Any],
) -> None:
    """Whatever clips it takes and whatever it gives, several views pooled as the protocol says."""
    if file_format == "openvino":
        pytest.importorskip("openvino")
    tvnsearch.export_model(trained / "net", tmp_path / name, file_format=file_format, **options)
    found = scored(trained / "net", tmp_path / name, "2x1")
    assert found.report == expected.report
    assert (expected.runtime, expected.file) == ("torch", None)
    assert found.runtime in ("ONNX Runtime", "OpenVINO", "torch.export", "plain torch")
    assert found.file == str(tmp_path / name)
    assert 0 < (found.report.scores.top1 or 0) < 1
    assert (np.array(found.report.confusion).sum(0) > 0).sum() > 1


@pytest.mark.parametrize(("file_format", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_an_int8_file_scores_what_its_export_says(
    trained: Path, tmp_path: Path, file_format: str, suffix: str
) -> None:
    pytest.importorskip(file_format)
    out = tmp_path / f"bytes{suffix}"
    told = tvnsearch.export_model(trained / "net", out, file_format=file_format, int8=True).on_clips
    assert told is not None
    found = scored(trained / "net", out)
    assert found.report.scores.clips == told.clips == 24
    assert found.report.scores.top1 == told.top1


@pytest.mark.usefixtures("in_process")
def test_the_scores_are_those_of_the_file_and_not_of_the_weights_beside(
    trained: Path, tmp_path: Path
) -> None:
    """Its classifier is turned round, and ONNX Runtime asked clip by clip; what it says of itself is lost."""
    path = tmp_path / "turned.onnx"
    tvnsearch.export_model(trained / "net", path)
    model = onnx.load(path)
    [weights] = [
        each for each in model.graph.initializer if list(each.dims) == [8, 4] or list(each.dims) == [4, 8]
    ]
    values = -onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    del model.metadata_props[:]
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path)
    logits = of_clips(
        trained / "net",
        lambda clips: np.concatenate([session.run(None, {"clips": clip[None].numpy()})[0] for clip in clips]),
    )
    found, before = scored(trained / "net", path), scored(trained / "net", None)
    assert (
        np.array(found.report.confusion).sum(0).tolist()
        == np.bincount(logits.argmax(1), minlength=4).tolist()
    )
    assert found.report.confusion != before.report.confusion


def test_a_file_that_is_none_of_the_network_is_a_sentence(trained: Path, tmp_path: Path) -> None:
    net, other = trained / "net", Genome(square_input(16, 3), (Block((SpatialConv(4, 3),)),))
    wide = Genome(square_input(24, 3), (Block((SpatialConv(4, 3),)),))
    for name, genome in (("other", other), ("wide", wide)):
        (tmp_path / name).mkdir()
        save_weights(build_network(genome, 4), tmp_path / name / "weights.safetensors")
        write_model(tmp_path / name, genome, load_model(net).card)
        tvnsearch.export_model(tmp_path / name, tmp_path / f"{name}.onnx")
    with pytest.raises(UserError, match=r"other\.onnx, but it is one of another genome"):
        scored(net, tmp_path / "other.onnx")
    bare = onnx.load(tmp_path / "wide.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "wide.onnx")
    with pytest.raises(UserError, match=r"takes clips of 3 x 16 x 16 pixels .* takes \(1, 3, 24, 24, 3\)"):
        scored(net, tmp_path / "wide.onnx")
    with pytest.raises(UserError, match=r"none\.onnx cannot be read \(No such file or directory\)"):
        scored(net, tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"broken\.onnx, but ONNX Runtime does not open it"):
        scored(net, tmp_path / "broken.onnx")
    with pytest.raises(UserError, match=r"expected one MODEL, on the cpu, with the file .* got 2 on cpu"):
        tvnsearch.evaluate([net, net], file=tmp_path / "other.onnx")
