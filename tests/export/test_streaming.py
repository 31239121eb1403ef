"""The streaming file in ONNX Runtime, as a user feeds it: frame by frame, states carried by their names."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.genome.strategies import DIGITS
from tests.network.plain_stream import logits_over_stream
from tests.network.test_streaming import BEHIND, CASES, trained
from tvnsearch.errors import UserError
from tvnsearch.export import streaming
from tvnsearch.export.streaming import export_streaming
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.streaming import plan_stream

GENOMES = {
    case: Genome(square_input(7, 6), (Block((*BEHIND, *CASES[case]), residual="identity"),))
    for case in (
        "depthwise conv3d",
        "maximum behind a delay",
        "average of the whole clip",
        "gates",
        "attention",
    )
}


def _run(path: Path, frames: Any, real_frames: int) -> Any:
    """The logits of each run, by what the file itself says of how it is used."""
    session = onnxruntime.InferenceSession(path)
    card = json.loads(session.get_modelmeta().custom_metadata_map["streaming"])
    names = [put.name for put in session.get_outputs()]
    states = {state["input"]: np.zeros(state["shape"], np.float32) for state in card["states"]}
    logits = []
    for first in range(0, len(frames), card["step_frames"]):
        places = np.arange(first, first + card["step_frames"])
        real = (places < real_frames).astype(np.float32)
        given = dict(
            zip(names, session.run(None, {"frames": frames[places], "real": real, **states}), strict=True)
        )
        states = {state["input"]: given[state["output"]] for state in card["states"]}
        logits.append(given["logits"][0])
    return np.stack(logits)


@pytest.mark.parametrize(("case", "times"), [*zip(GENOMES, (1, 2, 1, 2, 1), strict=True)])
def test_onnx_runtime_gives_the_logits_of_clips_and_of_endless_streams(
    case: str, times: int, tmp_path: Path
) -> None:
    network, path = trained(GENOMES[case]), tmp_path / "stream.onnx"
    plan = plan_stream(network.trace)
    step = plan.smallest_step * times
    card, errors = export_streaming(network, plan, step, path, {"classes": '["a"]'})
    assert errors.to_torch < 1e-3
    assert (errors.to_clip < 1e-3) or card.running_means
    frames = torch.randn((card.steps_of_clip + 4) * step, 7, 7, 3)
    ended = frames[: card.steps_of_clip * step].clone()
    ended[6:] = 0
    with torch.inference_mode():
        of_clip = logits_over_stream(network, frames[:6])[-1].numpy()
        expected = logits_over_stream(network, frames).numpy()
        if not card.running_means:
            assert of_clip == pytest.approx(network(frames[None, :6])[0].numpy(), abs=1e-3)
    assert _run(path, ended.numpy(), 6)[-1] == pytest.approx(of_clip, abs=1e-3)
    last = plan.head.into
    for number, logits in enumerate(_run(path, frames.numpy(), len(frames)), 1):
        end = number * step // last.stride - 1 - last.delay
        assert end < 0 or logits == pytest.approx(expected[end], abs=1e-3)


def test_no_tensor_of_the_file_has_more_than_four_dimensions(tmp_path: Path) -> None:
    case = GENOMES["depthwise conv3d"]
    network, path = trained(case), tmp_path / "stream.onnx"
    export_streaming(network, plan_stream(network.trace), 8, path, {"classes": '["a"]'})
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    described = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    dimensions = {value.name: len(value.type.tensor_type.shape.dim) for value in described}
    assert {name for node in model.graph.node for name in node.output} <= dimensions.keys()
    assert max(dimensions.values()) == 4
    assert max(len(weights.dims) for weights in model.graph.initializer) <= 4
    assert {entry.key for entry in model.metadata_props} == {"classes", "streaming"}
    assert str(tmp_path).encode() not in path.read_bytes()


def test_a_wrong_export_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = trained(sample_genome(DIGITS, random.Random(42)))
    monkeypatch.setattr(streaming, "MOST_RELATIVE_ERROR", -1.0)
    with pytest.raises(UserError, match="differs from torch by"):
        export_streaming(network, plan_stream(network.trace), 4, tmp_path / "stream.onnx", {})
    assert list(tmp_path.iterdir()) == []
