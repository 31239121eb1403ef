"""What plain networks of several families are made of, from its definition, on ``(N, C, T, H, W)``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Triple = tuple[int, int, int]
"""Frames, rows, columns."""

Activation = Callable[[Tensor], Tensor]


def linear(features: Tensor) -> Tensor:
    return features


def relu(features: Tensor) -> Tensor:
    return features.clamp(min=0)


def relu6(features: Tensor) -> Tensor:
    return features.clamp(min=0, max=6)


def sigmoid(features: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-features))


def swish(features: Tensor) -> Tensor:
    return features * sigmoid(features)


def hard_sigmoid(features: Tensor) -> Tensor:
    return (features + 3).clamp(min=0, max=6) / 6


def hard_swish(features: Tensor) -> Tensor:
    return features * hard_sigmoid(features)


def pad_same(features: Tensor, kernel: Triple, stride: Triple, filler: float = 0.0) -> Tensor:
    """Fill up for ``ceil(size / stride)`` outputs an axis: half a kernel in front, what is left behind."""
    amounts = []
    for size, reach, step in zip(features.shape[2:], kernel, stride, strict=True):
        out = (size + step - 1) // step
        total = max((out - 1) * step + reach - size, 0)
        front = min((reach - 1) // 2, total)
        amounts.append((front, total - front))
    (frames, rows, columns) = amounts
    return functional.pad(features, (*columns, *rows, *frames), value=filler)


def max_pool(features: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """The largest real element of each window."""
    return functional.max_pool3d(pad_same(features, kernel, stride, -torch.inf), kernel, stride)


def mean_pool(features: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """The mean of the real elements of each window."""
    real = pad_same(torch.ones_like(features), kernel, stride)
    sums = functional.avg_pool3d(pad_same(features, kernel, stride), kernel, stride, divisor_override=1)
    return sums / functional.avg_pool3d(real, kernel, stride, divisor_override=1)


class Conv(nn.Module):
    """A convolution with SAME padding, BatchNorm and an activation."""

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: Triple = (1, 1, 1),
        stride: Triple = (1, 1, 1),
        activation: Activation = linear,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.activation = kernel, stride, activation
        groups = channels if depthwise else 1
        self.conv = nn.Conv3d(channels, filters, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm3d(filters)

    def forward(self, features: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(pad_same(features, self.kernel, self.stride))))


class SqueezeExcite(nn.Module):
    """Channels scaled through two linear layers on their means over all frames and pixels."""

    def __init__(
        self, channels: int, hidden: int, inner: Activation = relu, gate: Activation = sigmoid
    ) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.inner, self.gate = inner, gate

    def forward(self, features: Tensor) -> Tensor:
        scales = self.gate(self.expand(self.inner(self.reduce(features.mean((2, 3, 4))))))
        return features * scales[:, :, None, None, None]


class Classifier(nn.Module):
    """One linear layer on the mean over all frames and pixels."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classify(features.mean((2, 3, 4)))
        return logits


class HiddenClassifier(nn.Module):
    """Two linear layers on the mean over all frames and pixels."""

    def __init__(self, channels: int, hidden: int, activation: Activation, classes: int) -> None:
        super().__init__()
        self.widen, self.classify = nn.Linear(channels, hidden), nn.Linear(hidden, classes)
        self.activation = activation

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.activation(self.widen(features.mean((2, 3, 4)))))
        return logits
