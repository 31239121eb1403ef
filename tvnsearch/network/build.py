"""A genome as a torch module: one submodule for each layer call of its trace, in the same order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, LayerCall, RepeatTrace, Trace, trace
from tvnsearch.network.layout import fold_clips
from tvnsearch.network.modules import (
    Activation,
    ChannelGate,
    Head,
    NonLocalBlock,
    Shortcut,
    SpatialConvolution,
    SpatialPooling,
    TemporalConvolution,
    TemporalPooling,
)

MODULES: dict[str, Callable[[LayerCall], nn.Module]] = {
    "spatial_conv": SpatialConvolution,
    "depthwise_conv": SpatialConvolution,
    "temporal_conv": TemporalConvolution,
    "spatial_pool": SpatialPooling,
    "temporal_pool": TemporalPooling,
    "non_local": NonLocalBlock,
    "context_gate": ChannelGate,
    "squeeze_excite": ChannelGate,
    "activation": Activation,
    "residual_add": Shortcut,
    "head": Head,
}

Stamp = Callable[[], None]


def _no_stamp() -> None:
    """Plain runs are not stamped."""


class Repeat(nn.Module):
    """One repeat of a block: its layers one after the other, then the shortcut where there is one."""

    def __init__(self, repeat: RepeatTrace) -> None:
        super().__init__()
        modules = [MODULES[call.type](call) for call in repeat.calls]
        self.shortcut = modules.pop() if repeat.has_shortcut else None
        self.layers = nn.ModuleList(modules)

    def forward(self, features: Tensor, stamp: Stamp) -> Tensor:
        kept = features if self.shortcut is not None else None
        for layer in self.layers:
            features = layer(features)
            stamp()
        if self.shortcut is not None:
            features = self.shortcut(features, kept)
            stamp()
        return features


class TinyVideoNetwork(nn.Module):
    """A network built from a genome.

    Takes clips as decoded and normalised, float32 ``(batch, frames, height, width, 3)``; gives logits
    ``(batch, classes)``.
    """

    def __init__(self, network_trace: Trace) -> None:
        super().__init__()
        self.trace = network_trace
        self.repeats = nn.ModuleList(
            Repeat(repeat) for block in network_trace.blocks for repeat in block.repeats if repeat.calls
        )
        self.head = Head(network_trace.head)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

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
