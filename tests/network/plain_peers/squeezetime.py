"""SqueezeTime in plain torch (Zhai et al. 2024; the official code where the paper leaves details open)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.network.plain_peers.parts import Classifier, Conv, linear, max_pool, relu, sigmoid

STAGES = ((3, 64, 256), (4, 128, 512), (6, 256, 1024), (3, 512, 2048))
"""Units, width of the channel-time learning, channels of the units."""


class ChannelTime(nn.Module):
    """The temporal focus convolution plus the inter-temporal object interaction, BatchNorm, ReLU."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(16, 1, side, side))
        self.importance = Conv(width, width, activation=relu)
        self.importances = nn.Conv3d(width, width, 1, bias=False)
        self.focus = nn.Conv3d(width, width, 1, bias=False)
        self.short = nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1))
        self.narrow = Conv(width, 16, (1, 3, 3), activation=relu)
        self.relate = Conv(16, 16, (1, 7, 7), activation=relu)
        self.widen = nn.Conv3d(16, width, (1, 3, 3), padding=(0, 1, 1))
        self.norm = nn.BatchNorm3d(width)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean((3, 4), keepdim=True)
        important = sigmoid(self.importances(self.importance(means))) * features
        related = self.relate(self.narrow(important) + self.positions)
        interaction = self.short(features) * sigmoid(self.widen(related))
        return relu(self.norm(self.focus(important) + interaction))


class Unit(nn.Module):
    """A bottleneck around channel-time learning; both branches see the input downsampled, if at all."""

    def __init__(self, channels: int, width: int, filters: int, side: int, downsamples: bool) -> None:
        super().__init__()
        # The original's bias before this BatchNorm, as before two others, cancels out.
        self.downsample: nn.Module = (
            Conv(channels, channels, (1, 2, 2), (1, 2, 2), linear, depthwise=True)
            if downsamples
            else nn.Identity()
        )
        self.branch = nn.Sequential(
            Conv(channels, width, activation=relu), ChannelTime(width, side), Conv(width, filters)
        )
        self.project: nn.Module = Conv(channels, filters) if channels != filters else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        features = self.downsample(features)
        return relu(self.branch(features) + self.project(features))


class Stem(nn.Module):
    """Frames into channels, a 5x5 convolution, a pool.

    The original puts one colour of all frames after the other; frame by frame, as here, is the same but for
    the order of the kernel's input channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv(16 * 3, 64, (1, 5, 5), (1, 2, 2), relu)

    def forward(self, features: Tensor) -> Tensor:
        packed = features.transpose(1, 2).flatten(1, 2)[:, :, None]
        return max_pool(self.conv(packed), (1, 3, 3), (1, 2, 2))


def plain_squeezetime(classes: int, pixels: int = 224) -> nn.Module:
    """Its maps of positions are of the size that frames of ``pixels`` leave."""
    side = (pixels + 3) // 4
    layers: list[nn.Module] = [Stem()]
    channels = 64
    for stage, (units, width, filters) in enumerate(STAGES):
        if stage > 0:
            side = (side + 1) // 2
        for number in range(units):
            layers.append(Unit(channels, width, filters, side, downsamples=stage > 0 and number == 0))
            channels = filters
    return nn.Sequential(*layers, Classifier(2048, classes))
