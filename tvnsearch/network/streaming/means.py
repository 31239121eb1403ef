"""What looks at a whole clip: gates, attention and the head. In a stream that is the last clip, up to now."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tvnsearch.genome.streaming import StreamedCall
from tvnsearch.network.modules import ChannelGate, Head, NonLocalBlock
from tvnsearch.network.streaming.kept import Keeper, Kept, last_clip

NO_WEIGHT = -1e9
"""What a softmax gives no weight."""


class RunningMeans(Keeper):
    """Means of ``width`` values a frame over each new frame and those before it, as many as a clip has."""

    def __init__(self, streamed: StreamedCall, width: int) -> None:
        super().__init__(streamed.name, (streamed.past, width))
        self.flow = streamed.into

    def forward(self, values: Tensor, kept: Kept) -> Tensor:
        rows = kept.with_past(self.name, values * kept.real(self.flow)[:, None])
        real = kept.real(self.flow, self.state_shape[0])
        means = []
        for first in range(len(values)):
            clip = slice(first, first + self.flow.frames)
            means.append(rows[clip].sum(dim=0, keepdim=True) / real[clip].sum().clamp(min=1.0))
        return torch.cat(means)


class Gate(nn.Module):
    """Channels scaled by a function of their running means."""

    def __init__(self, streamed: StreamedCall, gate: ChannelGate) -> None:
        super().__init__()
        self.means = RunningMeans(streamed, streamed.call.in_shape.channels)
        self.gate = gate.gate

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        gates: Tensor = self.gate(self.means(features.mean(dim=(2, 3)), kept))
        return features * gates[:, :, None, None]


class Attention(nn.Module):
    """A non-local block in its dot-product form: queries meet the running mean of keys times values."""

    def __init__(self, streamed: StreamedCall, block: NonLocalBlock) -> None:
        super().__init__()
        self.width = streamed.call.hidden
        self.means = RunningMeans(streamed, self.width**2)
        self.embed, self.project = block.embed, block.project

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        frames, _, height, width = features.shape
        queries, keys, values = self.embed(features).flatten(2).chunk(3, dim=1)
        products = keys @ values.transpose(1, 2) / (height * width)
        means = self.means(products.flatten(1), kept).reshape(frames, self.width, self.width)
        attended = (means.transpose(1, 2) @ queries).reshape(frames, self.width, height, width)
        projected: Tensor = self.project(attended)
        return projected + features


class ClipHead(Keeper):
    """The head over the last clip."""

    def __init__(self, streamed: StreamedCall, head: Head) -> None:
        call = streamed.call
        width = call.out_shape.channels if head.per_frame else call.in_shape.channels
        super().__init__(streamed.name, (streamed.past, width))
        self.flow, self.per_frame, self.classifier = streamed.into, head.per_frame, head.classifier

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        values = features.mean(dim=(2, 3))
        if self.flow.frames == 1:
            return self._classified(values)
        if self.per_frame:
            values = self._classified(values)
        rows = kept.with_past(self.name, values * kept.real(self.flow)[:, None])
        rows, real = last_clip(rows, kept.real(self.flow, self.state_shape[0]), self.flow.frames)
        if self.per_frame:
            scores = torch.where(real[:, None] > 0, rows / math.sqrt(self.flow.frames), NO_WEIGHT)
            return (scores.softmax(dim=0) * rows).sum(dim=0, keepdim=True)
        return self._classified(rows.sum(dim=0, keepdim=True) / real.sum().clamp(min=1.0))

    def _classified(self, means: Tensor) -> Tensor:
        logits: Tensor = self.classifier(means)
        return logits
