"""Channel-time learning: convolutions over maps whose channels hold time (Zhai et al. 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.channel_time import FAR_KERNEL, NEAR_KERNEL, live_window
from tvnsearch.genome.windows import padding
from tvnsearch.network.layout import keep_layout
from tvnsearch.network.modules.activation import activation_module
from tvnsearch.network.modules.convolution import ConvUnit


class ChannelTimeLearning(nn.Module):
    """``channel_time_learning``: temporal focus plus inter-temporal interaction, BatchNorm, activation.

    Channels are weighed by a function of their means over the frame. The focus is a pointwise convolution of
    what was weighed. The interaction is a convolution of the input, gated at each position by a narrow path
    over what was weighed: into few channels, a learnt map of positions added, a larger kernel, back to all.
    Positions are of the one size of map that the module is built for.
    """

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        channels, hidden, filters = call.in_shape.channels, call.hidden, call.out_shape.channels
        self.squeeze = ConvUnit(channels, channels, activation="relu")
        self.excite = _plain(call, channels, channels, bias=False)
        self.focus = _plain(call, channels, filters, bias=False)
        self.near = _plain(call, channels, filters, NEAR_KERNEL)
        self.reduce = _unit(call, channels, hidden, NEAR_KERNEL)
        self.positions = nn.Parameter(
            keep_layout(torch.empty(1, hidden, call.in_shape.height, call.in_shape.width))
        )
        self.far = _unit(call, hidden, hidden, FAR_KERNEL)
        self.restore = _plain(call, hidden, filters, NEAR_KERNEL)
        self.norm: nn.Module = nn.BatchNorm2d(filters)
        self.activation = activation_module(call.activation, inplace=True)
        nn.init.kaiming_normal_(self.positions, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean(dim=(2, 3), keepdim=True)
        weighed = features * self.excite(self.squeeze(means)).sigmoid()
        gate = self.restore(self.far(self.reduce(weighed) + self.positions)).sigmoid()
        learnt = self.focus(weighed) + self.near(features) * gate
        result: Tensor = self.activation(self.norm(keep_layout(learnt)))
        return result

    def fold_norm(self) -> None:
        """Fold the last BatchNorm, in evaluation mode, into the two convolutions whose sum it normalises."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        unfolded = self.focus
        self.focus = fuse_conv_bn_eval(unfolded, self.norm)
        assert self.norm.running_var is not None and self.near.bias is not None
        with torch.no_grad():
            scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
            self.near.weight.mul_(scale[:, None, None, None])
            self.near.bias.mul_(scale)
        self.norm = nn.Identity()


def _unit(call: LayerCall, in_channels: int, out_channels: int, kernel: int) -> ConvUnit:
    window = live_window(kernel, call.in_shape)
    rows, columns = window
    paddings = padding(call.in_shape.height, rows, 1), padding(call.in_shape.width, columns, 1)
    return ConvUnit(in_channels, out_channels, window, paddings=paddings, activation="relu")


def _plain(
    call: LayerCall, in_channels: int, out_channels: int, kernel: int = 1, bias: bool = True
) -> nn.Conv2d:
    """A convolution alone. Odd kernels without a stride need as many zeros on both sides."""
    rows, columns = live_window(kernel, call.in_shape)
    zeros = padding(call.in_shape.height, rows, 1).before, padding(call.in_shape.width, columns, 1).before
    conv = nn.Conv2d(in_channels, out_channels, (rows, columns), padding=zeros, bias=bias)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
