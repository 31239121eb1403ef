"""Convolutions made ready for the processor: what torch would do again in every pass is done once.

Before each pass of a convolution torch lays its weights out in the blocks that oneDNN computes with. On maps
of a few pixels that takes longer than the convolution: a 3x3 convolution of 512 channels on a single pixel
takes 1.8 ms so, and 0.09 ms with weights that were laid out before. Runtimes for deployment all pack weights.

On such maps most of a kernel lies beside the map for every output. Those taps only ever meet padding: they
are cut off, which changes no result, and on a single pixel leaves of any kernel a 1x1 one.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.network.modules.convolution import ColumnConv2d, ConvUnit

Module = TypeVar("Module", bound=nn.Module)

_FUSED: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.Identity: ("none", []),
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.SiLU: ("swish", []),
    nn.Hardswish: ("hardswish", []),
}
"""Activations that oneDNN computes while it writes a convolution's results: their names there."""

FEWEST_MACS = 2**18
"""A 1x1 convolution of fewer runs as a matrix product: finding the right kernel takes oneDNN longer."""


class Axis(NamedTuple):
    """A kernel along one axis of a map; ``first`` is its first tap of those it had before it was cut."""

    taps: int
    stride: int
    before: int
    after: int
    first: int = 0


def cut_to_map(axis: Axis, size: int) -> Axis:
    """The kernel without the taps that fall beside a map of ``size`` for every output.

    Padding is symmetric wherever that gives the same outputs.
    """
    outputs = (size + axis.before + axis.after - axis.taps) // axis.stride + 1
    last_start = (outputs - 1) * axis.stride
    first = max(axis.before - last_start, 0)
    taps = min(axis.taps, size + axis.before) - first
    before = axis.before - first
    stride = axis.stride if size > 1 else 1
    is_symmetric = (size + 2 * before - taps) // stride + 1 == outputs
    after = before if is_symmetric else max(last_start - before + taps - size, 0)
    return Axis(taps, stride, before, after, first)


class PackedConvolution(nn.Module):
    """A 2-D convolution of the processor with its padding and the activation behind it.

    It is cut and packed for the shape of the first features that it is given, and takes no others; of the
    batch, any number.
    """

    def __init__(self, conv: nn.Conv2d, explicit_padding: list[int] | None, activation: nn.Module) -> None:
        super().__init__()
        self.in_channels = conv.in_channels
        self._unpacked: tuple[nn.Conv2d, list[int] | None] | None = conv, explicit_padding
        self._activation = activation
        self._run: nn.Module = nn.Identity()

    @torch.inference_mode()
    def forward(self, features: Tensor) -> Tensor:  # noqa: D102 - as of any module
        if self._unpacked is not None:
            self._run = _packed_for(features.shape, *self._unpacked, self._activation)
            self._unpacked = None
        result: Tensor = self._run(features)
        return result


def pack(network: Module) -> Module:
    """Cut and pack the 2-D convolutions of a network that is deployed on the processor, in place.

    For inference only, on clips of one shape; the result computes the same to rounding. Norms must have been
    folded before. A network is left as it is where torch was built without oneDNN.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return network
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and not isinstance(module, ConvUnit):
                setattr(module, name, PackedConvolution(child, None, nn.Identity()))
        if isinstance(module, ConvUnit) and isinstance(module.conv, nn.Conv2d):
            packed = PackedConvolution(module.conv, module.explicit_padding, module.activation)
            module.conv, module.explicit_padding = packed, None  # type: ignore[assignment]
            module.activation = nn.Identity()
    return network


def _packed_for(
    shape: torch.Size, conv: nn.Conv2d, explicit_padding: list[int] | None, activation: nn.Module
) -> nn.Module:
    if explicit_padding is None:
        rows_zeros, columns_zeros = ((int(zeros), int(zeros)) for zeros in conv.padding)
    else:
        left, right, top, bottom = explicit_padding
        rows_zeros, columns_zeros = (top, bottom), (left, right)
    axes = [
        cut_to_map(Axis(conv.kernel_size[place], conv.stride[place], *zeros), shape[2 + place])
        for place, zeros in enumerate((rows_zeros, columns_zeros))
    ]
    rows, columns = axes
    weight = conv.weight.detach()[
        :, :, rows.first : rows.first + rows.taps, columns.first : columns.first + columns.taps
    ]
    bias = None if conv.bias is None else conv.bias.detach()
    is_pointwise = conv.groups == 1 and all(axis[:4] == (1, 1, 0, 0) for axis in axes)
    macs = shape.numel() * conv.out_channels
    if is_pointwise and macs < FEWEST_MACS and weight.dtype == torch.float32:
        return _MatrixProduct(weight[:, :, 0, 0].contiguous(), bias, activation)
    if isinstance(conv, ColumnConv2d):
        as_row = torch.Size((*shape[:2], shape[3], shape[2]))
        row = _OneDnnConvolution(weight.transpose(2, 3), bias, axes[::-1], conv.groups, as_row, activation)
        return _ColumnAsRow(row)
    return _OneDnnConvolution(weight, bias, axes, conv.groups, shape, activation)


class _MatrixProduct(nn.Module):
    """A 1x1 convolution as one matrix product over all positions."""

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: nn.Module) -> None:
        super().__init__()
        self._weight, self._bias, self._activation = weight, bias, activation

    def forward(self, features: Tensor) -> Tensor:
        product = functional.linear(features.permute(0, 2, 3, 1), self._weight, self._bias)
        result: Tensor = self._activation(product.permute(0, 3, 1, 2))
        return result


class _ColumnAsRow(nn.Module):
    """A convolution over a column of pixels, by one over a row."""

    def __init__(self, row: nn.Module) -> None:
        super().__init__()
        self._row = row

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self._row(features.transpose(2, 3))
        return result.transpose(2, 3)


class _OneDnnConvolution(nn.Module):
    """A convolution with weights laid out for oneDNN."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        axes: list[Axis],
        groups: int,
        shape: torch.Size,
        activation: nn.Module,
    ) -> None:
        super().__init__()
        self._bias, self._groups = bias, groups
        self._attribute, self._scalars = _FUSED[type(activation)]
        self._stride, self._dilation = [axis.stride for axis in axes], [1, 1]
        self._padding = [axis.before for axis in axes]
        self._explicit_padding: list[int] | None = None
        if any(axis.before != axis.after for axis in axes):
            self._padding = [0, 0]
            self._explicit_padding = [zeros for axis in reversed(axes) for zeros in axis[2:4]]
            height, width = (size + sum(axis[2:4]) for size, axis in zip(shape[2:], axes, strict=True))
            shape = torch.Size((*shape[:2], height, width))
        plain = weight.contiguous(memory_format=torch.channels_last).to_mkldnn()
        self._weight: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
            plain, self._padding, self._stride, self._dilation, groups, list(shape)
        )

    def forward(self, features: Tensor) -> Tensor:
        if self._explicit_padding is not None:
            features = functional.pad(features, self._explicit_padding)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise.default(
            features,
            self._weight,
            self._bias,
            self._padding,
            self._stride,
            self._dilation,
            self._groups,
            self._attribute,
            self._scalars,
            "",
        )
        return result
