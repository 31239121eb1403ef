"""Each layer of a network as nodes of a graph: one function a module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import nn

from tvnsearch.export.graph.features import Features, over, over_clip, over_either, over_space, over_time
from tvnsearch.export.graph.writer import GraphWriter
from tvnsearch.genome.calls import Shape
from tvnsearch.network.modules import (
    Activation,
    Add,
    ChannelGate,
    ChannelTimeLearning,
    Concatenate,
    Convolution3d,
    ConvUnit,
    DenseLayer,
    FramePacking,
    Head,
    NonLocalBlock,
    SpatialConvolution,
    SpatialPooling,
    TemporalConvolution,
    TemporalPooling,
    TemporalShifting,
)
from tvnsearch.network.modules.pooling import AxisPool

ACTIVATIONS: dict[type[nn.Module], tuple[str, dict[str, Any]]] = {
    nn.ReLU: ("Relu", {}),
    nn.Hardswish: ("HardSwish", {}),
    nn.Sigmoid: ("Sigmoid", {}),
    nn.Hardsigmoid: ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}
"""Those that are one node."""


def write_layer(writer: GraphWriter, module: nn.Module, *features: Features) -> Features:
    """Add the nodes of a layer of a folded network; returns its features."""
    return WRITERS[type(module)](writer, module, *features)


def activation(writer: GraphWriter, module: nn.Module, name: str) -> str:
    """An activation behind a value."""
    if isinstance(module, nn.Identity):
        return name
    if isinstance(module, nn.ReLU6):
        ends = [writer.constant(np.array(end, np.float32), "bound") for end in (0.0, 6.0)]
        return writer.node("Clip", [name, *ends])
    if isinstance(module, nn.SiLU):
        return writer.node("Mul", [name, writer.node("Sigmoid", [name])])
    operator, attributes = ACTIVATIONS[type(module)]
    return writer.node(operator, [name], **attributes)


def convolution(
    writer: GraphWriter, name: str, conv: nn.Conv2d | nn.Conv3d, explicit_padding: list[int] | None = None
) -> str:
    """A convolution with its bias; zeros on either side are its own."""
    inputs = [name, writer.constant(conv.weight, "weight")]
    if conv.bias is not None:
        inputs.append(writer.constant(conv.bias, "bias"))
    return writer.node(
        "Conv",
        inputs,
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=_pads(cast(tuple[int, ...], conv.padding), explicit_padding),
        group=conv.groups,
    )


def unit(writer: GraphWriter, name: str, module: ConvUnit) -> str:
    """A folded convolution and its activation."""
    assert isinstance(module.norm, nn.Identity), "norms are folded before a network is written"
    convolved = convolution(writer, name, module.conv, module.explicit_padding)
    return activation(writer, module.activation, convolved)


def linear(writer: GraphWriter, name: str, module: nn.Linear) -> str:
    """A linear layer over the second of four axes, as a 1x1 convolution."""
    weight = writer.constant(module.weight[:, :, None, None], "weight")
    inputs = [name, weight, *([] if module.bias is None else [writer.constant(module.bias, "bias")])]
    return writer.node("Conv", inputs, kernel_shape=[1, 1])


def _pads(symmetric: tuple[int, ...], explicit: list[int] | None) -> list[int]:
    """Zeros in front along each axis, then those behind; torch's explicit ones begin with the last axis."""
    if explicit is None:
        return [*symmetric, *symmetric]
    return [*explicit[-2::-2], *explicit[::-2]]


def _spatial_convolution(writer: GraphWriter, module: SpatialConvolution, features: Features) -> Features:
    shape = _with_channels(features.shape, module.conv.out_channels)
    if set(module.conv.kernel_size) | set(module.conv.stride) == {1}:
        features = over_either(writer, features)
        return Features(unit(writer, features.name, module), features.view, shape)
    features = over_space(writer, features)
    name = unit(writer, features.name, module)
    height, width = (-(-size // stride) for size, stride in zip(shape[1:3], module.conv.stride, strict=True))
    return Features(name, "space", shape._replace(height=height, width=width))


def _temporal_convolution(writer: GraphWriter, module: TemporalConvolution, features: Features) -> Features:
    return Features(unit(writer, over_time(writer, features).name, module.unit), "time", module.out_shape)


def _convolution_3d(writer: GraphWriter, module: Convolution3d, features: Features) -> Features:
    return Features(unit(writer, over_clip(writer, features).name, module.unit), "clip", module.out_shape)


def _dense(writer: GraphWriter, module: DenseLayer, features: Features) -> Features:
    features = over_either(writer, features)
    name = activation(writer, module.activation, convolution(writer, features.name, module.linear))
    return Features(name, features.view, _with_channels(features.shape, module.linear.out_channels))


def _pool(writer: GraphWriter, module: AxisPool, name: str) -> str:
    operator = "MaxPool" if module.mode == "max" or module.kernel == (1, 1) else "AveragePool"
    explicit = module.explicit_padding
    return writer.node(
        operator,
        [name],
        kernel_shape=list(module.kernel),
        strides=list(module.stride),
        pads=_pads(module.padding, None if explicit is None else list(explicit)),
    )


def _spatial_pooling(writer: GraphWriter, module: SpatialPooling, features: Features) -> Features:
    features = over_space(writer, features)
    name, shape = features.name, features.shape
    for pool in module:
        assert isinstance(pool, AxisPool)
        name = _pool(writer, pool, name)
        rows, columns = pool.stride
        shape = shape._replace(height=-(-shape.height // rows), width=-(-shape.width // columns))
    return Features(name, "space", shape)


def _temporal_pooling(writer: GraphWriter, module: TemporalPooling, features: Features) -> Features:
    return Features(_pool(writer, module.pool, over_time(writer, features).name), "time", module.out_shape)


def _temporal_shifting(writer: GraphWriter, module: TemporalShifting, features: Features) -> Features:
    features = over_either(writer, features)
    frames, _, _, channels = features.shape
    name, over_channels, over_frames = features.name, 1, 2
    if features.view == "space":
        name = writer.reshape(name, [-1, frames, channels, features.pixels])
        over_channels, over_frames = 2, 1
    moved = module.shifted
    from_next = writer.slice(name, 0, moved, over_channels)
    from_last = writer.slice(name, moved, 2 * moved, over_channels)
    kept = writer.slice(name, 2 * moved, channels, over_channels)
    zeros_behind, zeros_before = [0] * 8, [0] * 8
    zeros_behind[4 + over_frames] = zeros_before[over_frames] = 1
    ahead = writer.slice(from_next, 1, frames, over_frames)
    behind = writer.slice(from_last, 0, frames - 1, over_frames)
    parts = [
        writer.node("Pad", [ahead, writer.integers(zeros_behind)]),
        writer.node("Pad", [behind, writer.integers(zeros_before)]),
        *([kept] if channels > 2 * moved else []),
    ]
    name = writer.node("Concat", parts, axis=over_channels)
    if features.view == "space":
        name = writer.reshape(name, [-1, channels, features.shape.height, features.shape.width])
    return features._replace(name=name)


def _frame_packing(writer: GraphWriter, module: FramePacking, features: Features) -> Features:
    """With channels first, frames side by side in the channels are the same memory."""
    features = over_space(writer, features)
    frames, height, width, channels = features.shape
    name = features.name
    if module.missing:
        name = writer.reshape(name, [-1, frames, channels, features.pixels])
        behind = [0, 0, 0, 0, 0, module.missing, 0, 0]
        name = writer.node("Pad", [name, writer.integers(behind)])
    name = writer.reshape(name, [-1, module.packed * channels, height, width])
    return Features(name, "space", module.out_shape)


def _activation(writer: GraphWriter, module: Activation, features: Features) -> Features:
    return features._replace(name=activation(writer, module.activation, features.name))


def _add(writer: GraphWriter, module: Add, first: Features, second: Features) -> Features:
    second = over(first.view, writer, second)
    total = writer.node("Add", [first.name, second.name])
    return first._replace(name=activation(writer, module.activation, total))


def _concatenate(writer: GraphWriter, module: Concatenate, *branches: Features) -> Features:
    first = branches[0]
    names = [over(first.view, writer, branch).name for branch in branches]
    return Features(writer.node("Concat", names, axis=1), first.view, module.shape)


def _gate(writer: GraphWriter, module: ChannelGate, features: Features) -> Features:
    features = over_either(writer, features)
    frames, height, width, channels = features.shape
    of_clip = module.pooled_shape.frames == frames
    if features.view == "time":
        means = writer.reduce("ReduceMean", features.name, [2, 3] if of_clip else [3], keep=True)
    else:
        means = writer.node("GlobalAveragePool", [features.name])
        if of_clip and frames > 1:
            means = writer.reshape(means, [-1, frames, channels, 1])
            means = writer.reshape(writer.reduce("ReduceMean", means, [1], keep=True), [-1, channels, 1, 1])
    gate = means
    for layer in module.gate:
        if isinstance(layer, nn.Linear):
            gate = linear(writer, gate, layer)
        else:
            gate = activation(writer, layer, gate)
    if features.view == "time" or not of_clip or frames == 1:
        return features._replace(name=writer.node("Mul", [features.name, gate]))
    rows = writer.reshape(features.name, [-1, frames, channels, features.pixels])
    gated = writer.node("Mul", [rows, writer.reshape(gate, [-1, 1, channels, 1])])
    return features._replace(name=writer.reshape(gated, [-1, channels, height, width]))


def _non_local(writer: GraphWriter, module: NonLocalBlock, features: Features) -> Features:
    """Channels first: queries, keys and values are (batch, bottleneck, positions)."""
    features = over_time(writer, features)
    hidden, positions = module.attended_shape.channels, features.shape.positions
    embedded = convolution(writer, features.name, module.embed)
    rows = writer.reshape(embedded, [-1, 3 * hidden, positions])
    queries, keys, values = (writer.slice(rows, part * hidden, (part + 1) * hidden, 1) for part in range(3))
    if module.by_softmax:
        scores = writer.node("MatMul", [writer.node("Transpose", [queries], perm=[0, 2, 1]), keys])
        weights = writer.node("Transpose", [writer.node("Softmax", [scores], axis=2)], perm=[0, 2, 1])
        attended = writer.node("MatMul", [values, weights])
    else:
        product = writer.node("MatMul", [values, writer.node("Transpose", [keys], perm=[0, 2, 1])])
        share = writer.constant(np.array(1 / positions, np.float32), "share")
        attended = writer.node("MatMul", [writer.node("Mul", [product, share]), queries])
    shaped = writer.reshape(attended, [-1, hidden, features.shape.frames, features.pixels])
    added = writer.node("Add", [unit(writer, shaped, module.project), features.name])
    return features._replace(name=added)


def _channel_time_learning(writer: GraphWriter, module: ChannelTimeLearning, features: Features) -> Features:
    assert isinstance(module.norm, nn.Identity), "norms are folded before a network is written"
    features = over_space(writer, features)
    means = writer.node("GlobalAveragePool", [features.name])
    excited = convolution(writer, unit(writer, means, module.squeeze), module.excite)
    weighed = writer.node("Mul", [features.name, writer.node("Sigmoid", [excited])])
    reduced = unit(writer, weighed, module.reduce)
    placed = writer.node("Add", [reduced, writer.constant(module.positions, "positions")])
    restored = convolution(writer, unit(writer, placed, module.far), module.restore)
    near = convolution(writer, features.name, module.near)
    gated = writer.node("Mul", [near, writer.node("Sigmoid", [restored])])
    learnt = writer.node("Add", [convolution(writer, weighed, module.focus), gated])
    shape = _with_channels(features.shape, module.near.out_channels)
    return Features(activation(writer, module.activation, learnt), "space", shape)


def write_head(writer: GraphWriter, module: Head, features: Features) -> str:
    """The head; returns the name of the logits, (batch, classes)."""
    features = over_either(writer, features)
    frames, _, _, channels = features.shape
    weight = writer.constant(module.classifier.weight.t(), "weight")
    bias = writer.constant(module.classifier.bias, "bias")
    if not module.per_frame:
        if features.view == "time":
            means = writer.reduce("ReduceMean", features.name, [2, 3], keep=False)
        else:
            pooled = writer.node("GlobalAveragePool", [features.name])
            rows = writer.reshape(pooled, [-1, frames, channels])
            means = writer.reduce("ReduceMean", rows, [1], keep=False)
        return writer.node("Gemm", [means, weight, bias])
    if features.view == "time":
        columns = writer.reduce("ReduceMean", features.name, [3], keep=False)
        means = writer.node("Transpose", [columns], perm=[0, 2, 1])
    else:
        means = writer.reshape(writer.node("GlobalAveragePool", [features.name]), [-1, frames, channels])
    logits = writer.node("Add", [writer.node("MatMul", [means, weight]), bias])
    scale = writer.constant(np.array(1 / math.sqrt(frames), np.float32), "scale")
    weights = writer.node("Softmax", [writer.node("Mul", [logits, scale])], axis=1)
    return writer.reduce("ReduceSum", writer.node("Mul", [weights, logits]), [1], keep=False)


def _with_channels(shape: Shape, channels: int) -> Shape:
    return shape._replace(channels=channels)


WRITERS: dict[type[nn.Module], Callable[..., Features]] = {
    SpatialConvolution: _spatial_convolution,
    TemporalConvolution: _temporal_convolution,
    Convolution3d: _convolution_3d,
    DenseLayer: _dense,
    SpatialPooling: _spatial_pooling,
    TemporalPooling: _temporal_pooling,
    TemporalShifting: _temporal_shifting,
    FramePacking: _frame_packing,
    Activation: _activation,
    Add: _add,
    Concatenate: _concatenate,
    ChannelGate: _gate,
    NonLocalBlock: _non_local,
    ChannelTimeLearning: _channel_time_learning,
}
