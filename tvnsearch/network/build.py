"""A genome as a torch module: one submodule for each layer call of its trace, in the same order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, Node, Parallel, Trace, trace
from tvnsearch.network.layout import fold_clips, lay_out_weights
from tvnsearch.network.modules import (
    Activation,
    Add,
    ChannelGate,
    ChannelTimeLearning,
    Concatenate,
    Convolution3d,
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

MODULES: dict[str, Callable[[LayerCall], nn.Module]] = {
    "spatial_conv": SpatialConvolution,
    "depthwise_conv": SpatialConvolution,
    "temporal_conv": TemporalConvolution,
    "temporal_depthwise_conv": TemporalConvolution,
    "conv3d": Convolution3d,
    "depthwise_conv3d": Convolution3d,
    "dense": DenseLayer,
    "spatial_pool": SpatialPooling,
    "temporal_pool": TemporalPooling,
    "temporal_shift": TemporalShifting,
    "frame_packing": FramePacking,
    "non_local": NonLocalBlock,
    "channel_time_learning": ChannelTimeLearning,
    "context_gate": ChannelGate,
    "squeeze_excite": ChannelGate,
    "activation": Activation,
    "add": Add,
    "concat": Concatenate,
    "head": Head,
}

Stamp = Callable[[], None]


def _no_stamp() -> None:
    """Plain runs are not stamped."""


class Chain(nn.Module):
    """Nodes of a trace, one after the other; none at all hand on what they get."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(_node_module(node) for node in nodes)

    def forward(self, features: Tensor, stamp: Stamp) -> Tensor:
        for node in self.nodes:
            if isinstance(node, Fork):
                features = node(features, stamp)
            else:
                features = node(features)
                stamp()
        return features


class Fork(nn.Module):
    """Branches on the same features, and what joins their ends."""

    def __init__(self, parallel: Parallel) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Chain(branch) for branch in parallel.branches)
        self.join = MODULES[parallel.join.type](parallel.join)

    def forward(self, features: Tensor, stamp: Stamp) -> Tensor:
        joined: Tensor = self.join(*[branch(features, stamp) for branch in self.branches])
        stamp()
        return joined


def _node_module(node: Node) -> nn.Module:
    return Fork(node) if isinstance(node, Parallel) else MODULES[node.type](node)


class TinyVideoNetwork(nn.Module):
    """A network built from a genome.

    Takes clips as decoded and normalised, float32 ``(batch, frames, height, width, 3)``; gives logits
    ``(batch, classes)``.
    """

    def __init__(self, network_trace: Trace) -> None:
        super().__init__()
        self.trace = network_trace
        self.repeats = nn.ModuleList(
            Chain(repeat.nodes) for block in network_trace.blocks for repeat in block.repeats if repeat.nodes
        )
        self.head = Head(network_trace.head)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                lay_out_weights(module)

    def forward(self, clips: Tensor) -> Tensor:
        return self.forward_stamped(clips, _no_stamp)

    def forward_stamped(self, clips: Tensor, stamp: Stamp) -> Tensor:
        """Call the network, and ``stamp`` after each layer call, in the order of ``trace.calls``."""
        features = fold_clips(clips)
        for repeat in self.repeats:
            features = repeat(features, stamp)
        logits: Tensor = self.head(features)
        stamp()
        return logits


def build_network(genome: Genome, classes: int = MOMENTS_IN_TIME_CLASSES) -> TinyVideoNetwork:
    """The network of ``genome`` with fresh weights, drawn from torch's global generator.

    Initialisation as released: variance scaling (factor 2, fan-in, normal), classifier N(0, 0.01).
    """
    return TinyVideoNetwork(trace(genome, classes))
