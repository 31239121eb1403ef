"""MobileNetV3 on each frame, frames folded into the batch, and MobileNetV2 with shifts in plain torch.

After Howard et al. 2019 (tables 1 and 2), Sandler et al. 2018 (table 2) and Lin et al. 2019 (section 3).
"""

from __future__ import annotations

from torch import Tensor, nn

from tests.network.plain_peers.parts import (
    Activation,
    Classifier,
    Conv,
    SqueezeExcite,
    hard_sigmoid,
    hard_swish,
    relu,
    relu6,
)

Row = tuple[int, int, int, int, Activation, int]
"""A bottleneck of MobileNetV3: kernel, inner width, squeezed width, filters, activation, stride."""

SMALL: tuple[Row, ...] = (
    (3, 16, 8, 16, relu, 2),
    (3, 72, 0, 24, relu, 2),
    (3, 88, 0, 24, relu, 1),
    (5, 96, 24, 40, hard_swish, 2),
    (5, 240, 64, 40, hard_swish, 1),
    (5, 240, 64, 40, hard_swish, 1),
    (5, 120, 32, 48, hard_swish, 1),
    (5, 144, 40, 48, hard_swish, 1),
    (5, 288, 72, 96, hard_swish, 2),
    (5, 576, 144, 96, hard_swish, 1),
    (5, 576, 144, 96, hard_swish, 1),
)
LARGE: tuple[Row, ...] = (
    (3, 16, 0, 16, relu, 1),
    (3, 64, 0, 24, relu, 2),
    (3, 72, 0, 24, relu, 1),
    (5, 72, 24, 40, relu, 2),
    (5, 120, 32, 40, relu, 1),
    (5, 120, 32, 40, relu, 1),
    (3, 240, 0, 80, hard_swish, 2),
    (3, 200, 0, 80, hard_swish, 1),
    (3, 184, 0, 80, hard_swish, 1),
    (3, 184, 0, 80, hard_swish, 1),
    (3, 480, 120, 112, hard_swish, 1),
    (3, 672, 168, 112, hard_swish, 1),
    (5, 672, 168, 160, hard_swish, 2),
    (5, 960, 240, 160, hard_swish, 1),
    (5, 960, 240, 160, hard_swish, 1),
)


class FrameByFrame(nn.Module):
    """``features`` of each frame, means over pixels, ``last``, means over frames, one linear layer."""

    def __init__(
        self, features: nn.Module, last: nn.Module, activation: Activation, channels: int, classes: int
    ) -> None:
        super().__init__()
        self.features, self.last, self.activation = features, last, activation
        self.classify = nn.Linear(channels, classes)

    def forward(self, clips: Tensor) -> Tensor:
        batch, frames = clips.shape[0], clips.shape[2]
        images = clips.transpose(1, 2).flatten(0, 1).unsqueeze(2)
        means = self.features(images).mean((2, 3, 4))
        described: Tensor = self.activation(self.last(means))
        logits: Tensor = self.classify(described.view(batch, frames, -1).mean(1))
        return logits


class V3Unit(nn.Module):
    """Widen, convolve each channel, squeeze and excite, narrow, add where nothing changes the shape."""

    def __init__(self, channels: int, row: Row) -> None:
        super().__init__()
        kernel, width, squeezed, filters, activation, stride = row
        layers: list[nn.Module] = []
        if width != channels:
            layers.append(Conv(channels, width, activation=activation))
        square, strides = (1, kernel, kernel), (1, stride, stride)
        layers.append(Conv(width, width, square, strides, activation, depthwise=True))
        if squeezed:
            layers.append(SqueezeExcite(width, squeezed, gate=hard_sigmoid))
        self.branch = nn.Sequential(*layers, Conv(width, filters))
        self.adds = stride == 1 and channels == filters

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.branch(images)
        return images + features if self.adds else features


def mobilenetv3(rows: tuple[Row, ...], last: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = [Conv(3, 16, (1, 3, 3), (1, 2, 2), hard_swish)]
    channels = 16
    for row in rows:
        layers.append(V3Unit(channels, row))
        channels = row[3]
    wide = 6 * channels
    layers.append(Conv(channels, wide, activation=hard_swish))
    return FrameByFrame(nn.Sequential(*layers), nn.Linear(wide, last), hard_swish, last, classes)


def plain_mobilenetv3_small(classes: int) -> nn.Module:
    return mobilenetv3(SMALL, 1024, classes)


def plain_mobilenetv3_large(classes: int) -> nn.Module:
    return mobilenetv3(LARGE, 1280, classes)


def shift(features: Tensor) -> Tensor:
    """An eighth of the channels from the next frame, an eighth from the one before, zeros beyond the clip."""
    eighth = features.shape[1] // 8
    shifted = features.clone()
    shifted[:, : 2 * eighth] = 0
    shifted[:, :eighth, :-1] = features[:, :eighth, 1:]
    shifted[:, eighth : 2 * eighth, 1:] = features[:, eighth : 2 * eighth, :-1]
    return shifted


class ShiftingUnit(nn.Module):
    """An inverted residual; one that adds its input shifts at the start of its branch."""

    def __init__(self, channels: int, filters: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = expansion * channels
        layers = [Conv(channels, width, activation=relu6)] if expansion > 1 else []
        convolve = Conv(width, width, (1, 3, 3), (1, stride, stride), relu6, depthwise=True)
        self.branch = nn.Sequential(*layers, convolve, Conv(width, filters))
        self.adds = stride == 1 and channels == filters

    def forward(self, features: Tensor) -> Tensor:
        narrowed: Tensor = self.branch(shift(features) if self.adds else features)
        return features + narrowed if self.adds else narrowed


def plain_tsm_mobilenetv2(classes: int) -> nn.Module:
    layers: list[nn.Module] = [Conv(3, 32, (1, 3, 3), (1, 2, 2), relu6)]
    channels = 32
    for expansion, filters, units, first_stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for number in range(units):
            layers.append(ShiftingUnit(channels, filters, expansion, first_stride if number == 0 else 1))
            channels = filters
    return nn.Sequential(*layers, Conv(320, 1280, activation=relu6), Classifier(1280, classes))
