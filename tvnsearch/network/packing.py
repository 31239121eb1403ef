"""Convolutions made ready for the processor: what torch would do again in every pass is done once.

Before each pass of a convolution torch lays its weights out in the blocks that oneDNN computes with. On maps
of a few pixels that takes longer than the convolution: a 3x3 convolution of 512 channels on a single pixel
takes 1.8 ms so, and 0.09 ms with weights that were laid out before. Runtimes for deployment all pack weights.
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


class PackedConvolution(nn.Module):
    """A 2-D convolution of the processor with its padding and the activation behind it.

    It is packed for the shape of the first features that it is given, and takes no others; of the batch, any
    number.
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
    """Pack the 2-D convolutions of a network that is deployed on the processor, in place.

    For inference only, on clips of one shape; the result computes the same to rounding. Norms must have been
    folded before. A network is left as it is where torch was built without oneDNN, and in bfloat16 where
    oneDNN has no such kernels for this processor.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return network
    dtype = next((weights.dtype for weights in network.parameters()), torch.float32)
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
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
    weight = conv.weight.detach()
    bias = None if conv.bias is None else conv.bias.detach()
    is_pointwise = conv.groups == 1 and conv.kernel_size == conv.stride == (1, 1)
    macs = shape.numel() * conv.out_channels
    if is_pointwise and macs < FEWEST_MACS and weight.dtype == torch.float32:
        return _MatrixProduct(weight[:, :, 0, 0].contiguous(), bias, activation)
    geometry = _Geometry(list(conv.stride), [int(zeros) for zeros in conv.padding], explicit_padding)
    if isinstance(conv, ColumnConv2d):
        as_row = torch.Size((*shape[:2], shape[3], shape[2]))
        return _ColumnAsRow(
            _OneDnnConvolution(
                weight.transpose(2, 3), bias, geometry.transposed, conv.groups, as_row, activation
            )
        )
    return _OneDnnConvolution(weight, bias, geometry, conv.groups, shape, activation)


class _Geometry(NamedTuple):
    """Strides over rows and columns; zeros on both sides of each, or explicitly left, right, top, bottom."""

    stride: list[int]
    padding: list[int]
    explicit_padding: list[int] | None

    @property
    def transposed(self) -> _Geometry:
        """The same of the transposed map."""
        explicit = self.explicit_padding
        return _Geometry(
            self.stride[::-1], self.padding[::-1], None if explicit is None else explicit[2:] + explicit[:2]
        )


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
        geometry: _Geometry,
        groups: int,
        shape: torch.Size,
        activation: nn.Module,
    ) -> None:
        super().__init__()
        self._bias, self._groups = bias, groups
        self._attribute, self._scalars = _FUSED[type(activation)]
        self._stride, self._padding, self._explicit_padding = geometry
        self._dilation = [1, 1]
        if self._explicit_padding is not None:
            left, right, top, bottom = self._explicit_padding
            shape = torch.Size((*shape[:2], shape[2] + top + bottom, shape[3] + left + right))
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
