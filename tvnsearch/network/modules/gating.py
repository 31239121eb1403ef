"""Layers in which every position depends on all others: non-local blocks and channel gates."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall
from tvnsearch.network.layout import from_positions, over_positions
from tvnsearch.network.modules.activation import activation_module
from tvnsearch.network.modules.convolution import ConvUnit


class NonLocalBlock(nn.Module):
    """``non_local``: every position hears of all others, through queries, keys and values (Wang et al. 2018).

    In the dot-product form (eq. 4) there is no softmax and the product is associative: keys times values
    first, a bottleneck x bottleneck matrix, so that the cost grows with the positions and not with their
    square. The embedded Gaussian (eq. 3) takes the softmax of all pairs of positions. The last BatchNorm
    starts at zero, which makes a fresh block an identity.
    """

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape, self.attended_shape = call.in_shape, call.in_shape._replace(channels=call.hidden)
        self.inner_shape = call.in_shape._replace(channels=3 * call.hidden)
        self.by_softmax = call.mode == "softmax"
        self.embed = nn.Conv2d(call.in_shape.channels, 3 * call.hidden, 1, bias=False)
        self.project = ConvUnit(call.hidden, call.in_shape.channels)
        nn.init.kaiming_normal_(self.embed.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(self.project.norm.weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        embedded = over_positions(self.embed(features), self.inner_shape)
        queries, keys, values = embedded.chunk(3, dim=2)
        if self.by_softmax:
            attended = functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        else:
            attended = queries @ (keys.transpose(1, 2) @ values / self.shape.positions)
        projected: Tensor = self.project(from_positions(attended, self.attended_shape))
        return projected + features


class ChannelGate(nn.Module):
    """``context_gate`` and ``squeeze_excite``: channels scaled by a function of their means.

    The means are over the whole clip, or over each frame by itself.
    """

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        extent, gate = call.mode.split("_")
        self.shape = call.in_shape
        self.pooled_shape = call.in_shape if extent == "clip" else call.in_shape._replace(frames=1)
        channels = call.in_shape.channels
        widths = [channels, call.hidden, channels] if call.hidden else [channels, channels]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            linear = nn.Linear(width_in, width_out)
            nn.init.kaiming_normal_(linear.weight, mode="fan_in", nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            layers += [linear, activation_module(call.activation, inplace=True)]
        layers[-1] = nn.Sigmoid() if gate == "sigmoid" else nn.Hardsigmoid()
        self.gate = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        positions = over_positions(features, self.pooled_shape)
        gate = self.gate(positions.mean(dim=1, keepdim=True))
        return from_positions(positions * gate, self.shape)
