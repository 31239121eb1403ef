"""I3D, S3D and S3D-G in plain torch (Carreira and Zisserman 2017, figure 3; Xie et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.network.plain_peers.parts import Classifier, Conv, Triple, max_pool, relu, sigmoid

CUBE: Triple = (3, 3, 3)

Convolution = Callable[..., list[nn.Module]]
"""A convolution's layers, from its channels, filters, kernel and stride."""


class MaxPool(nn.Module):
    """A maximum over windows."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, features: Tensor) -> Tensor:
        return max_pool(features, self.kernel, self.stride)


def inflated(channels: int, filters: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """One cubic kernel."""
    return [Conv(channels, filters, (kernel,) * 3, (stride,) * 3, relu)]


def separable(channels: int, filters: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A kernel over pixels, then one over frames."""
    return [
        Conv(channels, filters, (1, kernel, kernel), (1, stride, stride), relu),
        Conv(filters, filters, (kernel, 1, 1), (stride, 1, 1), relu),
    ]


def pointwise(channels: int, filters: int) -> Conv:
    return Conv(channels, filters, activation=relu)


class SelfGate(nn.Module):
    """Channels scaled by a sigmoid of one linear layer on their means over all frames and pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # With a bias, as our layer has one; the authors' code goes without.
        self.weigh = nn.Linear(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        return features * sigmoid(self.weigh(features.mean((2, 3, 4))))[:, :, None, None, None]


class Mixed(nn.Module):
    """Four branches side by side, each gated at its end where the network is."""

    def __init__(self, channels: int, widths: tuple[int, ...], convolution: Convolution, gated: bool) -> None:
        super().__init__()
        alone, before, wide, before_narrow, narrow, pooled = widths
        branches: list[tuple[list[nn.Module], int]] = [
            ([pointwise(channels, alone)], alone),
            ([pointwise(channels, before), *convolution(before, wide, 3)], wide),
            ([pointwise(channels, before_narrow), *convolution(before_narrow, narrow, 3)], narrow),
            ([MaxPool(CUBE, (1, 1, 1)), pointwise(channels, pooled)], pooled),
        ]
        self.branches = nn.ModuleList(
            nn.Sequential(*layers, *([SelfGate(filters)] if gated else [])) for layers, filters in branches
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([branch(features) for branch in self.branches], dim=1)


def inception(convolution: Convolution, gated: bool, classes: int) -> nn.Sequential:
    def mixed(channels: int, *widths: int) -> Mixed:
        return Mixed(channels, widths, convolution, gated)

    return nn.Sequential(
        *convolution(3, 64, 7, 2),
        MaxPool((1, 3, 3), (1, 2, 2)),
        pointwise(64, 64),
        *convolution(64, 192, 3),
        *([SelfGate(192)] if gated else []),
        MaxPool((1, 3, 3), (1, 2, 2)),
        mixed(192, 64, 96, 128, 16, 32, 32),
        mixed(256, 128, 128, 192, 32, 96, 64),
        MaxPool(CUBE, (2, 2, 2)),
        mixed(480, 192, 96, 208, 16, 48, 64),
        mixed(512, 160, 112, 224, 24, 64, 64),
        mixed(512, 128, 128, 256, 24, 64, 64),
        mixed(512, 112, 144, 288, 32, 64, 64),
        mixed(528, 256, 160, 320, 32, 128, 128),
        MaxPool((2, 2, 2), (2, 2, 2)),
        mixed(832, 256, 160, 320, 32, 128, 128),
        mixed(832, 384, 192, 384, 48, 128, 128),
        # The originals average windows of two frames, then those averages; ours weighs all frames equally.
        Classifier(1024, classes),
    )


def plain_i3d(classes: int) -> nn.Module:
    return inception(inflated, False, classes)


def plain_s3d(classes: int) -> nn.Module:
    return inception(separable, False, classes)


def plain_s3d_g(classes: int) -> nn.Module:
    """Gates where the authors' code has them: from the second convolution of the stem on."""
    return inception(separable, True, classes)
