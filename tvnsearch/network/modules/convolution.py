"""Convolutions over space, over time and over both, each with BatchNorm and activation; and dense layers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.kinds import DEPTHWISE
from tvnsearch.genome.windows import Padding, padding
from tvnsearch.network.layout import keep_layout, over_clip, over_space, over_time
from tvnsearch.network.modules.activation import activation_module


class ColumnConv2d(nn.Conv2d):
    """A (kernel, 1) convolution over maps that are one pixel wide, computed with their column laid as a row.

    Given the column as it is, oneDNN 3.x reads memory that it never wrote (a sixth of such convolutions gave
    NaN where that memory held some), and with strides longer than the kernel writes beyond its own.
    """

    def forward(self, features: Tensor) -> Tensor:
        convolved = functional.conv2d(
            features.transpose(2, 3),
            self.weight.transpose(2, 3),
            self.bias,
            self.stride[::-1],
            self.padding[::-1],
            groups=self.groups,
        )
        return convolved.transpose(2, 3)


class ConvUnit(nn.Module):
    """Convolution, BatchNorm, activation over one view of the features.

    ``kernel``, ``stride`` and ``paddings`` are for the two or three axes of the view; ``groups`` equals the
    channels in a depthwise convolution; ``over_column`` says that the view is one pixel wide. After folding,
    ``norm`` is an identity and ``conv`` has a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, ...] = (1, 1),
        stride: tuple[int, ...] = (1, 1),
        paddings: tuple[Padding, ...] = (Padding(0, 0), Padding(0, 0)),
        groups: int = 1,
        activation: str = "none",
        over_column: bool = False,
    ) -> None:
        super().__init__()
        symmetric = all(axis.symmetric for axis in paddings)
        self.explicit_padding = (
            None if symmetric else [zeros for axis in reversed(paddings) for zeros in axis]
        )
        conv: type[nn.Conv2d | nn.Conv3d] = nn.Conv3d if len(kernel) == 3 else nn.Conv2d
        if over_column:
            conv = ColumnConv2d
        self.conv = conv(
            in_channels,
            out_channels,
            kernel,  # type: ignore[arg-type]
            stride,  # type: ignore[arg-type]
            padding=tuple(axis.before for axis in paddings) if symmetric else 0,  # type: ignore[arg-type]
            groups=groups,
            bias=False,
        )
        norm = nn.BatchNorm3d if len(kernel) == 3 else nn.BatchNorm2d
        self.norm: nn.Module = norm(out_channels)
        self.activation = activation_module(activation, inplace=True)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        if self.explicit_padding is not None:
            features = functional.pad(features, self.explicit_padding)
        convolved = self.conv(features)
        if self.conv.in_channels == 1:
            convolved = keep_layout(convolved)
        result: Tensor = self.activation(self.norm(convolved))
        return result


class SpatialConvolution(ConvUnit):
    """``spatial_conv`` and ``depthwise_conv``."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__(
            call.in_shape.channels,
            call.out_shape.channels,
            (call.kernel, call.kernel_width),
            *_stride_and_padding_over_space(call),
            groups=_groups(call),
            activation=call.activation,
        )


class TemporalConvolution(nn.Module):
    """``temporal_conv`` and ``temporal_depthwise_conv``: a (kernel, 1) convolution over (frames, pixels)."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.in_shape, self.out_shape = call.in_shape, call.out_shape
        self.unit = ConvUnit(
            call.in_shape.channels,
            call.out_shape.channels,
            (call.kernel, 1),
            (call.stride, 1),
            (padding(call.in_shape.frames, call.kernel, call.stride), Padding(0, 0)),
            groups=_groups(call),
            activation=call.activation,
            over_column=call.in_shape.height * call.in_shape.width == 1,
        )

    def forward(self, features: Tensor) -> Tensor:
        return over_space(self.unit(over_time(features, self.in_shape)), self.out_shape)


class Convolution3d(nn.Module):
    """``conv3d`` and ``depthwise_conv3d``: over (frames, height, width), channels last like all others."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.in_shape, self.out_shape = call.in_shape, call.out_shape
        stride, over_space_padding = _stride_and_padding_over_space(call)
        over_frames = padding(call.in_shape.frames, call.kernel_frames, call.stride_frames)
        self.unit = ConvUnit(
            call.in_shape.channels,
            call.out_shape.channels,
            (call.kernel_frames, call.kernel, call.kernel_width),
            (call.stride_frames, *stride),
            (over_frames, *over_space_padding),
            groups=_groups(call),
            activation=call.activation,
        )

    def forward(self, features: Tensor) -> Tensor:
        return over_space(self.unit(over_clip(features, self.in_shape)), self.out_shape)


class DenseLayer(nn.Module):
    """``dense``: a 1x1 convolution with a bias."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.linear = nn.Conv2d(call.in_shape.channels, call.out_shape.channels, 1)
        self.activation = activation_module(call.activation, inplace=True)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(self.linear.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.activation(keep_layout(self.linear(features)))
        return result


def _groups(call: LayerCall) -> int:
    return call.in_shape.channels if call.type in DEPTHWISE else 1


def _stride_and_padding_over_space(call: LayerCall) -> tuple[tuple[int, int], tuple[Padding, Padding]]:
    """Strides beyond a side of the map are as long as it: a kernel has one output along it."""
    height, width = call.in_shape.height, call.in_shape.width
    strides = min(call.stride, height), min(call.stride, width)
    rows, columns = padding(height, call.kernel, strides[0]), padding(width, call.kernel_width, strides[1])
    return strides, (rows, columns)
