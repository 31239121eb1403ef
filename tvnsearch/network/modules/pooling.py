"""Pooling over space and over time; averages divide by the real elements in a window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.windows import SEPARABLE_POOL_KERNEL, padding
from tvnsearch.network.layout import over_space, over_time


class AxisPool(nn.Module):
    """Pooling over windows of two axes; averages divide by the real elements in a window."""

    real_share: Tensor | None

    def __init__(
        self, mode: str, sizes: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        super().__init__()
        rows, columns = (padding(*axis) for axis in zip(sizes, kernel, stride, strict=True))
        symmetric = rows.symmetric and columns.symmetric
        self.mode, self.kernel, self.stride = mode, kernel, stride
        self.padding = (rows.before, columns.before) if symmetric else (0, 0)
        self.explicit_padding = None if symmetric else (*columns, *rows)
        real_share = None
        if not symmetric and mode == "avg":
            ones = functional.pad(torch.ones(1, 1, *sizes), (*columns, *rows))
            real_share = functional.avg_pool2d(ones, kernel, stride)
        self.register_buffer("real_share", real_share, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        if self.kernel == (1, 1):
            kept = features[:, :, :: self.stride[0], :: self.stride[1]]
            return kept.contiguous(memory_format=torch.channels_last)
        if self.explicit_padding is not None:
            filler = 0.0 if self.mode == "avg" else float("-inf")
            features = functional.pad(features, self.explicit_padding, value=filler)
        if self.mode == "max":
            return functional.max_pool2d(features, self.kernel, self.stride, self.padding)
        mean = functional.avg_pool2d(
            features, self.kernel, self.stride, self.padding, count_include_pad=False
        )
        return mean if self.real_share is None else mean / self.real_share


class SpatialPooling(nn.Sequential):
    """``spatial_pool``, large kernels as a pass over rows and a pass over columns."""

    def __init__(self, call: LayerCall) -> None:
        height, width = call.in_shape.height, call.in_shape.width
        kernel, stride = (call.kernel, call.kernel_width), (min(call.stride, height), min(call.stride, width))
        if max(kernel) < SEPARABLE_POOL_KERNEL:
            super().__init__(AxisPool(call.mode, (height, width), kernel, stride))
        else:
            super().__init__(
                AxisPool(call.mode, (height, width), (kernel[0], 1), (stride[0], 1)),
                AxisPool(call.mode, (call.out_shape.height, width), (1, kernel[1]), (1, stride[1])),
            )


class TemporalPooling(nn.Module):
    """``temporal_pool``: (kernel, 1) windows over (frames, pixels)."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.in_shape, self.out_shape = call.in_shape, call.out_shape
        pixels = call.in_shape.height * call.in_shape.width
        self.pool = AxisPool(call.mode, (call.in_shape.frames, pixels), (call.kernel, 1), (call.stride, 1))

    def forward(self, features: Tensor) -> Tensor:
        return over_space(self.pool(over_time(features, self.in_shape)), self.out_shape)
