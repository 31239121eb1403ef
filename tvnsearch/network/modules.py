"""One torch module for each type of layer call, all on 2-D kernels (time folded away).

Every module takes and returns the layout of :mod:`tvnsearch.network.layout`, and is built for the one input
shape of its call: only the batch may vary.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.trace import LayerCall
from tvnsearch.network.layout import from_positions, over_positions, over_space, over_time
from tvnsearch.network.padding import Padding, same_padding

DROPOUT = 0.5
"""Fixed in the paper (section A.3)."""

SEPARABLE_POOL_KERNEL = 4
"""From this kernel on, two one-dimensional passes beat one square pass (measured on CPU)."""


def _activation(name: str, inplace: bool) -> nn.Module:
    if name == "relu":
        return nn.ReLU(inplace=inplace)
    return nn.Hardswish() if name == "hswish" else nn.Identity()


class ConvUnit(nn.Module):
    """Convolution, BatchNorm, activation over one view of the features.

    ``kernel``, ``stride`` and ``padding`` are for the two folded axes; ``groups`` equals the channels in a
    depthwise convolution. After folding, ``norm`` is an identity and ``conv`` has a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        padding: tuple[Padding, Padding] = (Padding(0, 0), Padding(0, 0)),
        groups: int = 1,
        activation: str = "none",
    ) -> None:
        super().__init__()
        rows, columns = padding
        symmetric = rows.symmetric and columns.symmetric
        self.explicit_padding = None if symmetric else (*columns, *rows)
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=(rows.before, columns.before) if symmetric else 0,
            groups=groups,
            bias=False,
        )
        self.norm: nn.Module = nn.BatchNorm2d(out_channels)
        self.activation = _activation(activation, inplace=True)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        if self.explicit_padding is not None:
            features = functional.pad(features, self.explicit_padding)
        result: Tensor = self.activation(self.norm(self.conv(features)))
        return result


class SpatialConvolution(ConvUnit):
    """``spatial_conv`` and ``depthwise_conv``."""

    def __init__(self, call: LayerCall) -> None:
        kernel, stride = call.kernel, call.stride
        super().__init__(
            call.in_shape.channels,
            call.out_shape.channels,
            (kernel, kernel),
            (stride, stride),
            (
                same_padding(call.in_shape.height, kernel, stride),
                same_padding(call.in_shape.width, kernel, stride),
            ),
            groups=call.in_shape.channels if call.type == "depthwise_conv" else 1,
            activation=call.activation,
        )


class TemporalConvolution(nn.Module):
    """``temporal_conv``: a (kernel, 1) convolution over (frames, pixels).

    With kernel 1 the frames that a stride skips are dropped before the convolution: no result needs them, and
    oneDNN's backward pass of a 1x1 convolution with strides (2, 1) writes outside its memory (torch 2.13).
    """

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.in_shape, self.out_shape = call.in_shape, call.out_shape
        self.kept_every = call.stride if call.kernel == 1 else 1
        self.unit = ConvUnit(
            call.in_shape.channels,
            call.out_shape.channels,
            (call.kernel, 1),
            (1 if call.kernel == 1 else call.stride, 1),
            (same_padding(call.in_shape.frames, call.kernel, call.stride), Padding(0, 0)),
            activation=call.activation,
        )

    def forward(self, features: Tensor) -> Tensor:
        clip = over_time(features, self.in_shape)
        if self.kept_every > 1:
            clip = clip[:, :, :: self.kept_every].contiguous(memory_format=torch.channels_last)
        return over_space(self.unit(clip), self.out_shape)


class _AxisPool(nn.Module):
    """Pooling over windows of two axes; averages divide by the real elements in a window."""

    real_share: Tensor | None

    def __init__(
        self, mode: str, sizes: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        super().__init__()
        rows, columns = (same_padding(*axis) for axis in zip(sizes, kernel, stride, strict=True))
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
        height, width, kernel, stride = call.in_shape.height, call.in_shape.width, call.kernel, call.stride
        if kernel < SEPARABLE_POOL_KERNEL:
            super().__init__(_AxisPool(call.mode, (height, width), (kernel, kernel), (stride, stride)))
        else:
            super().__init__(
                _AxisPool(call.mode, (height, width), (kernel, 1), (stride, 1)),
                _AxisPool(call.mode, (call.out_shape.height, width), (1, kernel), (1, stride)),
            )


class TemporalPooling(nn.Module):
    """``temporal_pool``: (kernel, 1) windows over (frames, pixels)."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.in_shape, self.out_shape = call.in_shape, call.out_shape
        pixels = call.in_shape.height * call.in_shape.width
        self.pool = _AxisPool(call.mode, (call.in_shape.frames, pixels), (call.kernel, 1), (call.stride, 1))

    def forward(self, features: Tensor) -> Tensor:
        return over_space(self.pool(over_time(features, self.in_shape)), self.out_shape)


class NonLocalBlock(nn.Module):
    """``non_local``: the dot-product form (Wang et al. 2018, eq. 4), which needs no softmax over positions.

    Without the softmax the product is associative: keys times values first, a bottleneck x bottleneck matrix,
    so that the cost grows with the positions and not with their square. The last BatchNorm starts at zero,
    which makes a fresh block an identity.
    """

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape, self.attended_shape = call.in_shape, call.in_shape._replace(channels=call.hidden)
        self.inner_shape = call.in_shape._replace(channels=3 * call.hidden)
        self.embed = nn.Conv2d(call.in_shape.channels, 3 * call.hidden, 1, bias=False)
        self.project = ConvUnit(call.hidden, call.in_shape.channels)
        nn.init.kaiming_normal_(self.embed.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(self.project.norm.weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        embedded = over_positions(self.embed(features), self.inner_shape)
        queries, keys, values = embedded.chunk(3, dim=2)
        relations = keys.transpose(1, 2) @ values / self.shape.positions
        attended = from_positions(queries @ relations, self.attended_shape)
        projected: Tensor = self.project(attended)
        return projected + features


class ChannelGate(nn.Module):
    """``context_gate`` and ``squeeze_excite``: channels scaled by a function of their means everywhere."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape = call.in_shape
        channels = call.in_shape.channels
        widths = [channels, call.hidden, channels] if call.hidden else [channels, channels]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            linear = nn.Linear(width_in, width_out)
            nn.init.kaiming_normal_(linear.weight, mode="fan_in", nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU(inplace=True)]
        self.gate = nn.Sequential(*layers[:-1], nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        positions = over_positions(features, self.shape)
        gate = self.gate(positions.mean(dim=1, keepdim=True))
        return from_positions(positions * gate, self.shape)


class Activation(nn.Module):
    """``activation``: the end of a block without a shortcut; leaves its input as it was."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.activation = _activation(call.activation, inplace=False)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.activation(features)
        return result


class Shortcut(nn.Module):
    """``residual_add``: adds a repeat's input to its output, through a linear 1x1 convolution where asked."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.projection = (
            ConvUnit(call.in_shape.channels, call.out_shape.channels, stride=(call.stride, call.stride))
            if call.mode == "projection"
            else None
        )
        self.activation = _activation(call.activation, inplace=True)

    def forward(self, features: Tensor, kept: Tensor) -> Tensor:
        total = features + kept if self.projection is None else self.projection(kept).add_(features)
        result: Tensor = self.activation(total)
        return result


class Head(nn.Module):
    """``head``: global average pooling, dropout, one linear layer."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape = call.in_shape
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(call.in_shape.channels, call.out_shape.channels)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(over_positions(features, self.shape).mean(dim=1)))
        return logits
