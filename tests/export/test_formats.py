"""Each format in its own runtime, with each kind of input and output, against torch."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch

from tests.network.figures import with_figures
from tvnsearch.export.formats import FORMATS
from tvnsearch.export.options import GraphOptions
from tvnsearch.export.write import export_network
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network import TinyVideoNetwork, build_network

MEAN, DEVIATION = (0.45, 0.4, 0.5), (0.225, 0.25, 0.2)
NORMALISATION = (MEAN, DEVIATION)
FILES = [name for name, each in FORMATS.items() if not each.folder]
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def network() -> TinyVideoNetwork:
    torch.manual_seed(0)
    genome = Genome(square_input(8, 3), (Block((SpatialConv(4, 3), TemporalConv(4, 2))),))
    return with_figures(build_network(genome, 3))


def _run(path: Path, clips: Array) -> Array:
    """One pass of the file in its runtime, as a user would."""
    match path.suffix:
        case ".onnx":
            return onnxruntime.InferenceSession(path).run(None, {"clips": clips})[0]
        case ".xml":
            compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            return compiled(clips)[0]
        case _:
            return torch.export.load(path).module()(torch.from_numpy(clips)).detach().numpy()


def _expected(network: TinyVideoNetwork, pixels: Array, output: str) -> Array:
    normalised = (pixels / 255 - np.array(MEAN)) / np.array(DEVIATION)
    with torch.inference_mode():
        logits = network(torch.from_numpy(normalised.astype(np.float32))).numpy()
    if output == "softmax":
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return 1 / (1 + np.exp(-logits)) if output == "sigmoid" else logits


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        (GraphOptions(), (1,)),
        (GraphOptions(batch=None, output="softmax", normalisation=NORMALISATION), (1, 5)),
        (GraphOptions("NCTHW", 3, output="sigmoid"), (3,)),
        (GraphOptions("NCTHW", None, NORMALISATION), (2,)),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_a_file_takes_and_gives_what_was_asked_for(
    network: TinyVideoNetwork, tmp_path: Path, name: str, options: GraphOptions, passes: tuple[int, ...]
) -> None:
    path = tmp_path / f"net{FORMATS[name].suffixes[0]}"
    assert export_network(network, path, {"classes": '["a"]'}, FORMATS[name], options) < 1e-4
    for count in passes:
        pixels = np.random.default_rng(count).integers(0, 256, (count, 3, 8, 8, 3), np.uint8)
        clips = pixels
        if options.normalisation is None:
            clips = ((pixels / 255 - np.array(MEAN)) / np.array(DEVIATION)).astype(np.float32)
        if options.layout == "NCTHW":
            clips = np.ascontiguousarray(clips.transpose(0, 4, 1, 2, 3))
        assert _run(path, clips) == pytest.approx(_expected(network, pixels, options.output), abs=1e-4)


def test_revisions_of_onnx_are_those_that_were_asked_for(network: TinyVideoNetwork, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_network(network, path, {}, options=GraphOptions(opset=20, ir_version=10))
    model = onnx.load(path)
    assert (model.opset_import[0].version, model.ir_version) == (20, 10)


def test_openvino_keeps_the_names_of_layer_calls_and_what_the_outputs_mean(
    network: TinyVideoNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "net.xml"
    export_network(network, path, {"classes": '["a","b"]'}, FORMATS["openvino"])
    model = openvino.Core().read_model(path)
    named = {node.get_friendly_name().split("/")[0] for node in model.get_ordered_ops()}
    assert {name for name, _ in network.trace.named_calls()} <= named
    assert model.get_rt_info(["model_info", "classes"]).astype(str) == '["a","b"]'


def test_torch_gives_what_the_outputs_mean_from_the_file_itself(
    network: TinyVideoNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "net.pt2"
    export_network(network, path, {"classes": '["a","ü"]'}, FORMATS["torch-export"])
    told = {"classes": ""}
    torch.export.load(path, extra_files=told)
    assert told == {"classes": '["a","ü"]'}


def _contents(path: Path) -> bytes:
    if path.suffix != ".pt2":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize("name", FILES)
def test_no_file_tells_of_the_machine_that_wrote_it(
    network: TinyVideoNetwork, tmp_path: Path, name: str
) -> None:
    export_network(network, tmp_path / f"net{FORMATS[name].suffixes[0]}", {}, FORMATS[name])
    written = sorted(tmp_path.iterdir())
    assert {path.suffix for path in written} == set(FORMATS[name].suffixes)
    for path in written:
        for told in (b"site-packages", b"/home", b"/root", str(Path.cwd()).encode(), b"/tmp", b"build.py"):
            assert told not in _contents(path)
