"""X3D in plain torch (Feichtenhofer 2020, table 3; PySlowFast's code where the paper leaves details open)."""

from __future__ import annotations

from torch import Tensor, nn

from tests.network.plain_peers.parts import Conv, HiddenClassifier, SqueezeExcite, linear, relu, swish

STAGES = ((3, 24, 54, 8), (5, 48, 108, 8), (11, 96, 216, 16), (7, 192, 432, 32))
"""Units, channels, inner width and squeezed width: a sixteenth of the inner to a multiple of 8."""


class Unit(nn.Module):
    """Widen, convolve each channel, squeeze and excite in every other unit, swish, narrow, add, ReLU."""

    def __init__(self, channels: int, filters: int, width: int, squeezed: int, first: bool) -> None:
        super().__init__()
        stride = 2 if first else 1
        self.widen = Conv(channels, width, activation=relu)
        self.convolve = Conv(width, width, (3, 3, 3), (1, stride, stride), depthwise=True)
        self.squeeze: nn.Module = SqueezeExcite(width, squeezed) if squeezed else nn.Identity()
        self.narrow = Conv(width, filters)
        self.project: nn.Module = Conv(channels, filters, stride=(1, 2, 2)) if first else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        inner = swish(self.squeeze(self.convolve(self.widen(features))))
        return relu(self.narrow(inner) + self.project(features))


def plain_x3d(classes: int) -> nn.Module:
    # The BatchNorm between the stem's halves and the bias of the hidden linear layer are ours.
    layers: list[nn.Module] = [
        Conv(3, 24, (1, 3, 3), (1, 2, 2), linear),
        Conv(24, 24, (5, 1, 1), activation=relu, depthwise=True),
    ]
    channels = 24
    for units, filters, width, squeezed in STAGES:
        for number in range(units):
            layers.append(Unit(channels, filters, width, 0 if number % 2 else squeezed, number == 0))
            channels = filters
    return nn.Sequential(*layers, Conv(192, 432, activation=relu), HiddenClassifier(432, 2048, relu, classes))
