"""Where branches meet, and where frames do: sums, concatenations, shifts and packing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall
from tvnsearch.network.layout import from_positions, over_positions
from tvnsearch.network.modules.activation import activation_module


class Add(nn.Module):
    """``add``: the sum of two branches."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.activation = activation_module(call.activation, inplace=True)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        result: Tensor = self.activation(first + second)
        return result


class Concatenate(nn.Module):
    """``concat``: the channels of all branches, side by side."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape = call.out_shape

    def forward(self, *branches: Tensor) -> Tensor:
        rows = [branch.permute(0, 2, 3, 1) for branch in branches]
        return torch.cat(rows, dim=3).permute(0, 3, 1, 2)


class TemporalShifting(nn.Module):
    """``temporal_shift``: the first channels from the next frame, as many more from the one before."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape, self.shifted = call.in_shape, call.hidden

    def forward(self, features: Tensor) -> Tensor:
        pixels = self.shape.height * self.shape.width
        rows = over_positions(features, self.shape).reshape(
            -1, self.shape.frames, pixels, self.shape.channels
        )
        from_next, from_last, kept = torch.split(
            rows, [self.shifted, self.shifted, self.shape.channels - 2 * self.shifted], dim=3
        )
        moved = [
            functional.pad(from_next[:, 1:], (0, 0, 0, 0, 0, 1)),
            functional.pad(from_last[:, :-1], (0, 0, 0, 0, 1, 0)),
            kept,
        ]
        return from_positions(torch.cat(moved, dim=3), self.shape)


class FramePacking(nn.Module):
    """``frame_packing``: consecutive frames side by side in the channels, the first one's channels first."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.in_shape, self.out_shape = call.in_shape, call.out_shape
        self.packed = call.kernel_frames
        self.missing = self.packed * call.out_shape.frames - call.in_shape.frames

    def forward(self, features: Tensor) -> Tensor:
        frames, height, width, channels = self.in_shape
        clips = features.permute(0, 2, 3, 1).reshape(-1, frames, height, width, channels)
        if self.missing:
            clips = functional.pad(clips, (0, 0, 0, 0, 0, 0, 0, self.missing))
        groups = clips.reshape(-1, self.packed, height, width, channels).permute(0, 2, 3, 1, 4)
        return groups.contiguous().reshape(-1, height, width, self.packed * channels).permute(0, 3, 1, 2)
