"""A genome as one would write it down in torch without a thought for speed: 3-D modules, defaults."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.kinds import DEPTHWISE, OVER_TIME
from tvnsearch.genome.trace import Node, Parallel, Trace
from tvnsearch.genome.windows import Padding
from tvnsearch.genome.windows import padding as padding_of

ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "hswish": nn.Hardswish}


class PlainNetwork(nn.Module):
    """The network of a trace; clips (batch, frames, height, width, 3) to logits (batch, classes)."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        nodes = [node for block in trace.blocks for repeat in block.repeats for node in repeat.nodes]
        self.body = _sequence(nodes)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(trace.head.in_shape.channels, trace.head.out_shape.channels)

    def forward(self, clips: Tensor) -> Tensor:
        """Logits of clips."""
        features = self.body(clips.permute(0, 4, 1, 2, 3).contiguous())
        logits: Tensor = self.classifier(self.dropout(features.mean(dim=(2, 3, 4))))
        return logits

    def take_weights(self, network: nn.Module) -> None:
        """The weights of the folded network of the same trace, whose modules come in the same order."""
        theirs = list(network.state_dict().values())
        mine = list(self.state_dict().values())
        with torch.no_grad():
            for value, source in zip(mine, theirs, strict=True):
                value.copy_(source.reshape(value.shape))


class _Sum(nn.Module):
    def __init__(self, parallel: Parallel) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_sequence(branch) for branch in parallel.branches)
        self.activation = ACTIVATIONS[parallel.join.activation]()

    def forward(self, features: Tensor) -> Tensor:
        summed: Tensor = self.activation(sum(branch(features) for branch in self.branches))
        return summed


class _Gate(nn.Module):
    """Squeeze-and-excitation or context gating over the clip."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        channels = call.in_shape.channels
        layers: list[nn.Module] = [nn.Linear(channels, call.hidden or channels)]
        if call.hidden:
            layers += [ACTIVATIONS[call.activation](), nn.Linear(call.hidden, channels)]
        self.gate = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        gate: Tensor = self.gate(features.mean(dim=(2, 3, 4)))
        return features * gate[:, :, None, None, None]


def _sequence(nodes: Sequence[Node]) -> nn.Sequential:
    return nn.Sequential(*(_module(node) for node in nodes))


def _module(node: Node) -> nn.Module:
    if isinstance(node, Parallel):
        return _Sum(node)
    if node.type in ("squeeze_excite", "context_gate"):
        return _Gate(node)
    if node.type == "activation":
        return ACTIVATIONS[node.activation]()
    along_time = node.type in OVER_TIME
    kernel = (node.kernel, 1, 1) if along_time else (1, node.kernel, node.kernel_width)
    stride = (node.stride, 1, 1) if along_time else (1, node.stride, node.stride)
    paddings = _paddings(node.in_shape, kernel, stride)
    symmetric = all(axis.symmetric for axis in paddings)
    padding = tuple(axis.before for axis in paddings) if symmetric else 0
    layers: list[nn.Module] = []
    if not symmetric:
        filler = float("-inf") if node.mode == "max" else 0.0
        sides = tuple(zeros for axis in reversed(paddings) for zeros in axis)
        layers.append(nn.ConstantPad3d(sides, filler))  # type: ignore[arg-type]
    if node.type.endswith("_pool"):
        if node.mode == "max":
            layers.append(nn.MaxPool3d(kernel, stride, padding))
        else:
            assert symmetric, "averages over real pixels alone need symmetric padding here"
            layers.append(nn.AvgPool3d(kernel, stride, padding, count_include_pad=False))
        return nn.Sequential(*layers)
    channels, filters = node.in_shape.channels, node.out_shape.channels
    groups = channels if node.type in DEPTHWISE else 1
    layers.append(nn.Conv3d(channels, filters, kernel, stride, padding, groups=groups, bias=False))
    return nn.Sequential(*layers, nn.BatchNorm3d(filters), ACTIVATIONS[node.activation]())


def _paddings(shape: Shape, kernel: tuple[int, ...], stride: tuple[int, ...]) -> tuple[Padding, ...]:
    sizes = (shape.frames, shape.height, shape.width)
    return tuple(padding_of(*axis) for axis in zip(sizes, kernel, stride, strict=True))
