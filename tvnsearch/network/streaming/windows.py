"""Layers with a window over time: convolutions, pools, shifts and packing."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.kinds import CONVOLUTIONS, DEPTHWISE
from tvnsearch.genome.streaming import StreamedCall, TimeWindow
from tvnsearch.genome.windows import padding
from tvnsearch.network.modules import Convolution3d, TemporalConvolution
from tvnsearch.network.streaming.kept import Keeper, Kept, frames_shape, last_clip, over_pixels


class OverTime(Keeper):
    """A layer whose window slides over the frames, or sees the last clip."""

    def __init__(self, streamed: StreamedCall, layer: nn.Module, step_frames: int) -> None:
        super().__init__(streamed.name, frames_shape(max(streamed.past, 0), streamed.call.in_shape))
        self.flow, self.sees_clip = streamed.into, streamed.keeping == "clip"
        self.skipped = max(-streamed.past, 0)
        self.results = streamed.out.in_step(step_frames)
        self.window = WINDOWS[streamed.call.type](streamed.call, layer, streamed.window)

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        frames = kept.with_past(self.name, features * over_pixels(kept.real(self.flow)))
        real = kept.real(self.flow, self.state_shape[0])
        if self.sees_clip:
            frames, real = last_clip(frames, real, self.flow.frames)
        result: Tensor = self.window(frames[self.skipped :], real[self.skipped :], self.results)
        return result


class Window(nn.Module):
    """Computes so many ``results`` from frames, of which those are zero that are not of the stream."""

    def __init__(self, call: LayerCall, layer: nn.Module, window: TimeWindow) -> None:
        super().__init__()
        self.call = call
        self.taps, self.stride, _ = window

    def side_by_side(self, frames: Tensor, results: int) -> Tensor:
        """The frames of each window in the channels, the first one's channels first."""
        if results == 1:
            return frames[: self.taps].reshape(1, -1, *frames.shape[2:])
        end = (results - 1) * self.stride + 1
        return torch.cat([frames[tap : tap + end : self.stride] for tap in range(self.taps)], dim=1)


class Convolution(Window):
    """Convolutions over time, and over time and space, as ones over space whose channels hold time."""

    def __init__(self, call: LayerCall, layer: nn.Module, window: TimeWindow) -> None:
        super().__init__(call, layer, window)
        assert isinstance(layer, TemporalConvolution | Convolution3d)
        conv = layer.unit.conv
        assert conv.bias is not None
        self.activation = layer.unit.activation
        self.strides, self.zeros = (1, 1), (0, 0, 0, 0)
        kernel = conv.weight.detach()
        if isinstance(layer, TemporalConvolution):
            kernel = kernel[..., None]
        else:
            height, width = call.in_shape.height, call.in_shape.width
            self.strides = min(call.stride, height), min(call.stride, width)
            rows = padding(height, call.kernel, self.strides[0])
            columns = padding(width, call.kernel_width, self.strides[1])
            self.zeros = (*columns, *rows)
        self.groups = 1
        if call.type in DEPTHWISE:
            self.weight = nn.Parameter(kernel.permute(2, 0, 1, 3, 4).flatten(0, 1).contiguous())
            self.groups = len(self.weight)
        else:
            self.weight = nn.Parameter(kernel.transpose(1, 2).flatten(1, 2).contiguous())
        self.bias = nn.Parameter(conv.bias.detach())

    def forward(self, frames: Tensor, real: Tensor, results: int) -> Tensor:
        seen = self.side_by_side(frames, results)
        left, right, top, bottom = self.zeros
        around = top, left
        if (left, top) != (right, bottom):
            seen, around = functional.pad(seen, self.zeros), (0, 0)
        convolved = functional.conv2d(seen, self.weight, None, self.strides, around, groups=self.groups)
        if self.groups > 1:
            _, _, height, width = convolved.shape
            each = convolved.reshape(results, self.taps, len(self.bias), height * width)
            convolved = each.sum(dim=1).reshape(results, len(self.bias), height, width)
        result: Tensor = self.activation(convolved + self.bias[:, None, None])
        return result


class Pool(Window):
    """Pools over time; only frames of the stream count."""

    def forward(self, frames: Tensor, real: Tensor, results: int) -> Tensor:
        if self.taps == 1:
            return frames[:: self.stride][:results]
        there = over_pixels(real)
        by_maximum = self.call.mode == "max"
        if by_maximum:
            frames = torch.where(there > 0, frames, -math.inf)
        pooled = []
        for first in range(0, results * self.stride, self.stride):
            window = slice(first, first + self.taps)
            count = there[window].sum(dim=0, keepdim=True)
            if by_maximum:
                largest = frames[window].amax(dim=0, keepdim=True)
                pooled.append(torch.where(count > 0, largest, 0.0))
            else:
                pooled.append(frames[window].sum(dim=0, keepdim=True) / count.clamp(min=1.0))
        return torch.cat(pooled)


class Shift(Window):
    """Some channels from the next frame, as many from the one before."""

    def forward(self, frames: Tensor, real: Tensor, results: int) -> Tensor:
        before, this, following = (frames[first : first + results] for first in range(3))
        once, twice = self.call.hidden, 2 * self.call.hidden
        return torch.cat([following[:, :once], before[:, once:twice], this[:, twice:]], dim=1)


class Packing(Window):
    """Consecutive frames side by side in the channels."""

    def forward(self, frames: Tensor, real: Tensor, results: int) -> Tensor:
        return self.side_by_side(frames, results)


WINDOWS: dict[str, Callable[[LayerCall, nn.Module, TimeWindow], Window]] = {
    **dict.fromkeys(CONVOLUTIONS, Convolution),
    "temporal_pool": Pool,
    "temporal_shift": Shift,
    "frame_packing": Packing,
}
"""What computes a type of layer call that has a window over time."""
