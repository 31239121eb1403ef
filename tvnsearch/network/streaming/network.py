"""The whole network over a stream: a module for each part of its plan."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tvnsearch.genome.streaming import StreamedBranches, StreamedNode, StreamPlan
from tvnsearch.network.build import Chain, Fork, TinyVideoNetwork
from tvnsearch.network.deploy import deployed
from tvnsearch.network.modules import ChannelGate, NonLocalBlock
from tvnsearch.network.streaming.kept import REAL, Keeper, Kept, Waiting
from tvnsearch.network.streaming.means import Attention, ClipHead, Gate
from tvnsearch.network.streaming.windows import OverTime


class StreamingNetwork(nn.Module):
    """``network`` over a stream, by ``plan``, ``step_frames`` frames of the camera at a time.

    Takes frames as clips have them, float32 ``(step_frames, height, width, 3)``; ``real`` ``(step_frames,)``,
    1 for a frame of the stream and 0 behind its end, where frames are zeros; and a state for each of
    ``state_shapes``, zeros before the first frame. Gives logits ``(1, classes)`` and the next states.
    BatchNorm is folded, and ``step_frames`` is a multiple of the plan's smallest step.
    """

    def __init__(self, network: TinyVideoNetwork, plan: StreamPlan, step_frames: int) -> None:
        super().__init__()
        folded = deployed(network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.step_frames, self.history = step_frames, plan.history
        self.frame_shape = network.trace.in_shape[1:]
        self.repeats = nn.ModuleList(
            _StreamedChain(nodes, chain, step_frames)
            for nodes, chain in zip(plan.repeats, folded.repeats, strict=True)
        )
        self.head = ClipHead(plan.head, folded.head)
        self.state_shapes: dict[str, tuple[int, ...]] = {REAL: (plan.history,)}
        for module in self.modules():
            if isinstance(module, Keeper) and module.state_shape[0]:
                self.state_shapes[module.name] = module.state_shape

    def forward(self, frames: Tensor, real: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        kept = Kept(self.history, real, dict(zip(self.state_shapes, states, strict=True)))
        features = frames.permute(0, 3, 1, 2)
        for repeat in self.repeats:
            features = repeat(features, kept)
        logits = self.head(features, kept)
        return (logits, *(kept.following[name] for name in self.state_shapes))

    def first_states(self) -> list[Tensor]:
        """The states before the first frame."""
        return [torch.zeros(shape) for shape in self.state_shapes.values()]


class _StreamedChain(nn.Module):
    """Nodes of a plan, one after the other."""

    def __init__(self, nodes: Iterable[StreamedNode], chain: nn.Module, step_frames: int) -> None:
        super().__init__()
        assert isinstance(chain, Chain)
        self.nodes = nn.ModuleList(
            _streamed(node, module, step_frames) for node, module in zip(nodes, chain.nodes, strict=True)
        )

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        for node in self.nodes:
            features = node(features, kept)
        return features


class _StreamedFork(nn.Module):
    """Branches whose results wait for those of the latest."""

    def __init__(self, node: StreamedBranches, fork: nn.Module, step_frames: int) -> None:
        super().__init__()
        assert isinstance(fork, Fork)
        self.branches = nn.ModuleList(
            _StreamedChain(branch, chain, step_frames)
            for branch, chain in zip(node.branches, fork.branches, strict=True)
        )
        self.waits = nn.ModuleList(Waiting(wait) for wait in node.waits)
        self.join = fork.join

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        ends = [branch(features, kept) for branch in self.branches]
        joined: Tensor = self.join(*[wait(end, kept) for wait, end in zip(self.waits, ends, strict=True)])
        return joined


class _EachFrame(nn.Module):
    """A layer that sees each frame by itself."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        result: Tensor = self.layer(features)
        return result


def _streamed(node: StreamedNode, module: nn.Module, step_frames: int) -> nn.Module:
    if isinstance(node, StreamedBranches):
        return _StreamedFork(node, module, step_frames)
    if node.keeping == "nothing":
        return _EachFrame(module)
    if isinstance(module, ChannelGate):
        return Gate(node, module)
    if isinstance(module, NonLocalBlock):
        return Attention(node, module)
    return OverTime(node, module, step_frames)
