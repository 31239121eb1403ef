"""A network over a whole stream at once, window by window, in plain torch: the reference for streaming.

Every frame is known by its place in the stream, so nothing is kept, delayed or folded here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.trace import Node, Parallel
from tvnsearch.genome.windows import padding
from tvnsearch.network.build import TinyVideoNetwork


class Frames(NamedTuple):
    """Features by their place in the stream; ``clip`` of them are one clip, 1 once it is a single frame."""

    features: Tensor
    clip: int


def logits_over_stream(network: TinyVideoNetwork, frames: Tensor) -> Tensor:
    """The logits of the clips that end at each frame that reaches the head; ``(places, classes)``."""
    passing = Frames(frames.permute(0, 3, 1, 2), network.trace.in_shape.frames)
    repeats = [repeat for block in network.trace.blocks for repeat in block.repeats if repeat.nodes]
    for repeat, chain in zip(repeats, network.repeats, strict=True):
        passing = _along(repeat.nodes, chain, passing)
    head, means = network.head, passing.features.mean(dim=(2, 3))
    logits = []
    for end in range(len(means)):
        last = means[max(0, end + 1 - passing.clip) : end + 1]
        if head.per_frame:
            each = head.classifier(last)
            logits.append(((each / math.sqrt(passing.clip)).softmax(dim=0) * each).sum(dim=0))
        else:
            logits.append(head.classifier(last.mean(dim=0)))
    return torch.stack(logits)


def _along(nodes: Sequence[Node], chain: nn.Module, passing: Frames) -> Frames:
    for node, module in zip(nodes, chain.nodes, strict=True):
        if isinstance(node, Parallel):
            branches = zip(node.branches, module.branches, strict=True)
            ends = [_along(branch, layers, passing) for branch, layers in branches]
            passing = Frames(module.join(*[end.features for end in ends]), ends[0].clip)
        else:
            passing = _call(node, module, passing)
    return passing


def _call(call: LayerCall, module: nn.Module, passing: Frames) -> Frames:
    features, clip = passing
    if clip == 1:
        return Frames(module(features), 1)
    over_time = call.type in ("temporal_conv", "temporal_depthwise_conv", "temporal_pool")
    taps = call.kernel if over_time else call.kernel_frames
    stride = call.stride if over_time else call.stride_frames
    if call.type == "temporal_shift":
        taps = 3
    if over_time or call.type in ("conv3d", "depthwise_conv3d", "frame_packing", "temporal_shift"):
        if call.out_shape.frames == 1:  # the first taps of the clip that ends at each frame
            starts = [end + 1 - clip for end in range(len(features))]
        else:
            before = {"temporal_shift": 1, "frame_packing": 0}.get(call.type)
            before = padding(clip, taps, stride).before if before is None else before
            starts = [first - before for first in range(0, len(features), stride)]
        seen = [[features[at] if 0 <= at < len(features) else None for at in range(start, start + taps)]
                for start in starts]  # fmt: skip
        return Frames(torch.stack([_window(call, module, window) for window in seen]), call.out_shape.frames)
    if call.type in ("context_gate", "squeeze_excite") and call.mode.startswith("clip"):
        means = features.mean(dim=(2, 3))
        until = [means[max(0, end + 1 - clip) : end + 1].mean(dim=0) for end in range(len(means))]
        return Frames(features * module.gate(torch.stack(until))[:, :, None, None], clip)
    if call.type == "non_local":
        return Frames(
            torch.stack([_attended(module, features, end, clip) for end in range(len(features))]), clip
        )
    return Frames(module(features), clip)


def _window(call: LayerCall, module: nn.Module, seen: list[Tensor | None]) -> Tensor:
    there = [frame for frame in seen if frame is not None]
    nothing = torch.zeros(call.in_shape.channels, call.in_shape.height, call.in_shape.width)
    if call.type == "temporal_pool":
        stacked = torch.stack(there) if there else nothing[None]
        return stacked.amax(dim=0) if call.mode == "max" else stacked.mean(dim=0)
    filled = [nothing if frame is None else frame for frame in seen]
    if call.type == "frame_packing":
        return torch.cat(filled)
    if call.type == "temporal_shift":
        before, this, following = filled
        moved = call.hidden
        return torch.cat([following[:moved], before[moved : 2 * moved], this[2 * moved :]])
    unit = module.unit
    clip = torch.stack(filled, dim=1)[None]
    groups = call.in_shape.channels if "depthwise" in call.type else 1
    if call.type.startswith("temporal"):
        convolved = functional.conv3d(clip, unit.conv.weight[..., None], groups=groups)[:, :, 0]
        return unit.activation(unit.norm(convolved))[0]
    strides = min(call.stride, call.in_shape.height), min(call.stride, call.in_shape.width)
    rows = padding(call.in_shape.height, call.kernel, strides[0])
    columns = padding(call.in_shape.width, call.kernel_width, strides[1])
    padded = functional.pad(clip, (*columns, *rows))
    convolved = functional.conv3d(padded, unit.conv.weight, stride=(1, *strides), groups=groups)
    return unit.activation(unit.norm(convolved))[0, :, 0]


def _attended(block: nn.Module, features: Tensor, end: int, clip: int) -> Tensor:
    """The frame at ``end`` relates each of its pixels to all pixels of the last frames, pair by pair."""
    last = features[max(0, end + 1 - clip) : end + 1]
    _, keys, values = block.embed(last).chunk(3, dim=1)
    queries, _, _ = block.embed(features[end : end + 1]).chunk(3, dim=1)
    pairs = torch.einsum("fchw,ncij->hwnij", queries, keys) / (keys.numel() / keys.shape[1])
    attended = torch.einsum("hwnij,ncij->chw", pairs, values)
    return block.project(attended[None])[0] + features[end]
