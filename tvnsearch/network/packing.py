"""Convolutions made ready for the processor: what torch would do again in every pass is done once.

Before each pass of a convolution torch lays its weights out in the blocks that oneDNN computes with. On maps
of a few pixels that takes longer than the convolution: a 3x3 convolution of 512 channels on a single pixel
takes 1.8 ms so, and 0.09 ms with weights that were laid out before. Runtimes for deployment all pack weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.network.modules.convolution import ConvUnit

Module = TypeVar("Module", bound=nn.Module)

_FUSED: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.Identity: ("none", []),
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.SiLU: ("swish", []),
    nn.Hardswish: ("hardswish", []),
}
"""Activations that oneDNN computes while it writes a convolution's results: their names there."""


class PackedConvolution(nn.Module):
    """A convolution of the processor and the activation behind it.

    Its weights are packed for the shape of the first features that it is given; others need no other weights,
    though they may be slower.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module) -> None:
        super().__init__()
        self.in_channels, self._groups = conv.in_channels, conv.groups
        self._padding, self._stride = list(conv.padding), list(conv.stride)
        self._dilation = list(conv.dilation)
        self._attribute, self._scalars = _FUSED[type(activation)]
        self._plain: Tensor | None = conv.weight.detach()
        self._packed: Tensor | None = None
        self._bias = None if conv.bias is None else conv.bias.detach()

    @torch.inference_mode()
    def forward(self, features: Tensor) -> Tensor:  # noqa: D102 - as of any module
        if self._packed is None:
            self._packed = self._pack(features.shape)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise.default(
            features,
            self._packed,
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

    def _pack(self, shape: Sequence[int]) -> Tensor:
        assert self._plain is not None
        packed: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
            self._plain.to_mkldnn(), self._padding, self._stride, self._dilation, self._groups, list(shape)
        )
        self._plain = None
        return packed


class PointwiseProduct(nn.Module):
    """A 1x1 convolution as one matrix product over all positions, and the activation behind it."""

    def __init__(self, conv: nn.Conv2d, activation: nn.Module) -> None:
        super().__init__()
        self.in_channels = conv.in_channels
        self.activation = activation
        self._weight = conv.weight.detach()[:, :, 0, 0].contiguous()
        self._bias = None if conv.bias is None else conv.bias.detach()

    @torch.inference_mode()
    def forward(self, features: Tensor) -> Tensor:  # noqa: D102 - as of any module
        product = functional.linear(features.permute(0, 2, 3, 1), self._weight, self._bias)
        result: Tensor = self.activation(product.permute(0, 3, 1, 2))
        return result


def pack(network: Module) -> Module:
    """Pack the 2-D convolutions of a network that is deployed on the processor, in place.

    For inference only; the result computes the same to rounding. The norms must have been folded before.
    A network is left as it is where torch was built without oneDNN.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return network
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and not isinstance(module, ConvUnit):
                setattr(module, name, _packed(child, nn.Identity()))
        if isinstance(module, ConvUnit) and isinstance(module.conv, nn.Conv2d):
            module.conv = _packed(module.conv, module.activation)  # type: ignore[assignment]
            module.activation = nn.Identity()
    return network


def _packed(conv: nn.Conv2d, activation: nn.Module) -> nn.Module:
    if _is_pointwise(conv) and conv.weight.dtype == torch.float32:
        return PointwiseProduct(conv, activation)
    return PackedConvolution(conv, activation)


def _is_pointwise(conv: nn.Conv2d) -> bool:
    return conv.groups == 1 and {*conv.kernel_size, *conv.stride} == {1} and set(conv.padding) == {0}
