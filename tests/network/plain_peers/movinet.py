"""MoViNet-A0 and -A1, base networks, in plain torch (Kondratyuk et al. 2021, as their code released them)."""

from __future__ import annotations

from torch import Tensor, nn

from tests.network.plain_peers.parts import (
    Conv,
    HiddenClassifier,
    SqueezeExcite,
    Triple,
    mean_pool,
    swish,
)

Row = tuple[int, int, Triple, int]
"""One unit: inner width, squeezed width, kernel, stride over pixels."""

FLAT: Triple = (1, 5, 5)
CUBE: Triple = (3, 3, 3)
LONG: Triple = (5, 3, 3)

A0: tuple[tuple[int, tuple[Row, ...]], ...] = (
    (8, ((24, 8, FLAT, 2),)),
    (32, ((80, 24, CUBE, 2), (80, 24, CUBE, 1), (80, 24, CUBE, 1))),
    (56, ((184, 48, LONG, 2), (112, 32, CUBE, 1), (184, 48, CUBE, 1))),
    (56, ((184, 48, LONG, 1), (184, 48, CUBE, 1), (184, 48, CUBE, 1), (184, 48, CUBE, 1))),
    (104, ((384, 96, LONG, 2), (280, 72, FLAT, 1), (280, 72, FLAT, 1), (344, 88, FLAT, 1))),
)
A1: tuple[tuple[int, tuple[Row, ...]], ...] = (
    (16, ((40, 16, FLAT, 2), (40, 16, CUBE, 1))),
    (40, ((96, 24, CUBE, 2), (120, 32, CUBE, 1), (96, 24, CUBE, 1), (96, 24, CUBE, 1))),
    (
        64,
        (
            (216, 56, LONG, 2),
            (128, 32, CUBE, 1),
            (216, 56, CUBE, 1),
            (168, 40, CUBE, 1),
            (216, 56, CUBE, 1),
        ),
    ),
    (
        64,
        (
            (216, 56, LONG, 1),
            (216, 56, CUBE, 1),
            (216, 56, CUBE, 1),
            (128, 32, CUBE, 1),
            (128, 32, FLAT, 1),
            (216, 56, CUBE, 1),
        ),
    ),
    (
        136,
        (
            (456, 112, LONG, 2),
            (360, 88, FLAT, 1),
            (360, 88, FLAT, 1),
            (360, 88, FLAT, 1),
            (456, 112, FLAT, 1),
            (456, 112, CUBE, 1),
            (544, 136, (1, 3, 3), 1),
        ),
    ),
)


class Unit(nn.Module):
    """Widen, convolve each channel, squeeze and excite the clip, narrow, add; without the learnt scale."""

    def __init__(self, channels: int, filters: int, row: Row) -> None:
        super().__init__()
        width, squeezed, kernel, self.stride = row
        self.widen = Conv(channels, width, activation=swish)
        self.convolve = Conv(width, width, kernel, (1, self.stride, self.stride), swish, depthwise=True)
        self.squeeze = SqueezeExcite(width, squeezed, inner=swish)
        self.narrow = Conv(width, filters)
        changes = channels != filters or self.stride > 1
        self.project: nn.Module = Conv(channels, filters) if changes else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        narrowed = self.narrow(self.squeeze(self.convolve(self.widen(features))))
        if self.stride > 1:
            features = mean_pool(features, (1, 3, 3), (1, self.stride, self.stride))
        result: Tensor = narrowed + self.project(features)
        return result


def movinet(stem: int, stages: tuple[tuple[int, tuple[Row, ...]], ...], last: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = [Conv(3, stem, (1, 3, 3), (1, 2, 2), swish)]
    channels = stem
    for filters, rows in stages:
        for row in rows:
            layers.append(Unit(channels, filters, row))
            channels = filters
    layers.append(Conv(channels, last, activation=swish))
    return nn.Sequential(*layers, HiddenClassifier(last, 2048, swish, classes))


def plain_movinet_a0(classes: int) -> nn.Module:
    return movinet(8, A0, 480, classes)


def plain_movinet_a1(classes: int) -> nn.Module:
    return movinet(16, A1, 600, classes)
