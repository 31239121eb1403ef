"""What layers without windows compute, against plain loops and torch's own functions."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome import Block, Genome, InputSpec
from tvnsearch.genome.calls import Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import (
    ChannelTimeLearning,
    ContextGate,
    FramePacking,
    Layer,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
)
from tvnsearch.network import build_network, deployed, pack
from tvnsearch.network.build import MODULES
from tvnsearch.network.deploy import fold_norms

SHAPE = Shape(3, 4, 5, 6)


def module_of(layer: Layer, shape: Shape = SHAPE) -> nn.Module:
    torch.manual_seed(0)
    call = layer_call(layer, shape)  # type: ignore[arg-type]
    assert call is not None
    return MODULES[call.type](call).eval()


def clips_of(shape: Shape, batch: int = 2) -> tuple[Tensor, Tensor]:
    """The same features as (batch, frames, height, width, channels), and as our modules take them."""
    clips = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))
    return clips, clips.flatten(0, 1).permute(0, 3, 1, 2)


def as_clips(features: Tensor, frames: int) -> Tensor:
    return features.permute(0, 2, 3, 1).unflatten(0, (-1, frames))


@pytest.mark.parametrize("form", ["dot_product", "embedded_gaussian"])
def test_every_position_hears_of_all_others(form: str) -> None:
    block = module_of(NonLocal(4, form))  # type: ignore[arg-type]
    nn.init.constant_(block.project.norm.weight, 0.7)
    clips, features = clips_of(SHAPE)
    with torch.inference_mode():
        found = as_clips(block(features), 3)
        queries, keys, values = (clips.flatten(1, 3) @ block.embed.weight[:, :, 0, 0].T).chunk(3, dim=2)
        if form == "embedded_gaussian":
            attended = functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        else:
            pairs = torch.einsum("nqi,nki->nqk", queries, keys) / SHAPE.positions
            attended = torch.einsum("nqk,nki->nqi", pairs, values)
        norm = block.project.norm
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        projected = attended @ block.project.conv.weight[:, :, 0, 0].T * scale
        expected = clips.flatten(1, 3) + projected
    torch.testing.assert_close(found.flatten(1, 3), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize("packed", [2, 3, 8])
def test_packed_frames_lie_side_by_side_in_the_channels(frames: int, packed: int) -> None:
    shape = SHAPE._replace(frames=frames)
    call = layer_call(FramePacking(packed), shape)
    clips, features = clips_of(shape)
    if frames == 1:
        assert call is None
        return
    assert call is not None
    found = as_clips(MODULES[call.type](call)(features), call.out_shape.frames).numpy()
    packed = min(packed, frames)
    expected = np.zeros((2, -(-frames // packed), 4, 5, packed * 6), np.float32)
    for frame in range(frames):
        first = frame % packed * 6
        expected[:, frame // packed, :, :, first : first + 6] = clips[:, frame].numpy()
    np.testing.assert_array_equal(found, expected)
    assert call.out_shape == expected.shape[1:]


@pytest.mark.parametrize(
    ("layer", "frames"),
    [(ContextGate(), 3), (SqueezeExcite(0.5), 3), (SqueezeExcite(0.5, "swish", "hsigmoid", "frame"), 1)],
)
def test_gates_scale_channels_by_a_function_of_their_means(layer: Layer, frames: int) -> None:
    gate = module_of(layer)
    clips, features = clips_of(SHAPE)
    with torch.inference_mode():
        found = as_clips(gate(features), 3)
        # the mean of each frame, or of all
        hidden = clips.unflatten(1, (-1, frames)).mean(dim=(2, 3, 4))
        linears = [part for part in gate.gate if isinstance(part, nn.Linear)]
        for place, linear in enumerate(linears):
            hidden = hidden @ linear.weight.T + linear.bias
            if place < len(linears) - 1:
                hidden = hidden.relu() if layer.inner == "relu" else hidden * hidden.sigmoid()  # type: ignore[union-attr]
        by_steps = getattr(layer, "gate", "sigmoid") == "hsigmoid"
        scale = (hidden / 6 + 0.5).clamp(0, 1) if by_steps else hidden.sigmoid()
        expected = clips * scale.repeat_interleave(frames, dim=1)[:, :, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(4, 5), (9, 2), (1, 1), (1, 7)])
def test_channel_time_learning_is_focus_and_gated_interaction(height: int, width: int) -> None:
    """With the live taps of each kernel in the middle of a whole one, written out for one frame."""
    layer = module_of(ChannelTimeLearning(7, "relu"), Shape(3, height, width, 6))
    for number, values in enumerate(layer.parameters()):
        draws = torch.Generator().manual_seed(number)
        nn.init.normal_(values, std=0.3, generator=draws) if values.dim() > 1 else nn.init.uniform_(
            values, 0.5, 1.5, generator=draws
        )
    for name, values in layer.named_buffers():
        if name.endswith(("mean", "var")):
            nn.init.uniform_(values, 0.5, 1.5)

    def whole(kernel: Tensor, size: int) -> Tensor:
        rows, columns = ((size - taps) // 2 for taps in kernel.shape[2:])
        return functional.pad(kernel, (columns, columns, rows, rows))

    def normed(features: Tensor, norm: nn.Module) -> Tensor:
        mean, var, weight, bias = (
            values[:, None, None] for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        return (features - mean) / (var + norm.eps).sqrt() * weight + bias

    _, features = clips_of(Shape(3, height, width, 6))
    with torch.inference_mode():
        expected = []
        for frame in features:
            squeezed = layer.squeeze.conv.weight[:, :, 0, 0] @ frame.mean(dim=(1, 2))
            hidden = normed(squeezed[:, None, None], layer.squeeze.norm).relu()[:, 0, 0]
            weighed = frame * (layer.excite.weight[:, :, 0, 0] @ hidden).sigmoid()[:, None, None]
            focus = torch.einsum("oi,ihw->ohw", layer.focus.weight[:, :, 0, 0], weighed)
            near = functional.conv2d(frame, whole(layer.near.weight, 3), layer.near.bias, padding=1)
            reduced = functional.conv2d(weighed, whole(layer.reduce.conv.weight, 3), padding=1)
            placed = normed(reduced, layer.reduce.norm).relu() + layer.positions[0]
            far = functional.conv2d(placed, whole(layer.far.conv.weight, 7), padding=3)
            restored = functional.conv2d(
                normed(far, layer.far.norm).relu(),
                whole(layer.restore.weight, 3),
                layer.restore.bias,
                padding=1,
            )
            expected.append(normed(focus + near * restored.sigmoid(), layer.norm).relu())
        for module in (layer, fold_norms(deepcopy(layer)), pack(fold_norms(deepcopy(layer)))):
            torch.testing.assert_close(module(features), torch.stack(expected), rtol=1e-4, atol=1e-4)
    norms = [part for part in fold_norms(layer).modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms == []


def test_frames_that_are_not_square_run_as_their_plain_torch_network() -> None:
    torch.manual_seed(0)
    spec = InputSpec(height=9, width=16, frames=3)
    layers = (SpatialConv(4, 5, 2, "relu"), SpatialPool("avg", 64, 64), TemporalConv(5, 3))
    network = build_network(Genome(spec, (Block(layers),)), 7).eval()
    spatial, _, temporal = network.repeats[0].nodes
    clips = torch.rand(2, 3, 9, 16, 3)
    with torch.inference_mode():
        # rows: ceil(9 / 2) = 5 windows over 13 positions; columns: 8 over 19, of which 3 are padding
        frames = functional.pad(clips.flatten(0, 1).permute(0, 3, 1, 2), (2, 1, 2, 2))
        features = functional.conv2d(frames, spatial.conv.weight, stride=2) / (1 + 1e-5) ** 0.5
        assert features.shape[2:] == (5, 8)
        means = features.relu().mean(dim=(2, 3)).unflatten(0, (2, 3)).transpose(1, 2)
        kernel = temporal.unit.conv.weight[:, :, :, 0]
        over_time = functional.conv1d(functional.pad(means, (1, 1)), kernel) / (1 + 1e-5) ** 0.5
        expected = over_time.mean(dim=2) @ network.head.classifier.weight.T + network.head.classifier.bias
        for runnable in (network, deployed(network), pack(deployed(network))):
            torch.testing.assert_close(runnable(clips), expected, rtol=1e-4, atol=1e-5)
