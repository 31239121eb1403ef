"""The layers of a network that stands alone, in plain torch: their source is written into its ``model.py``.

All take and give (batch, channels, frames, rows, columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor] | None
Triple = tuple[int, int, int]
Pad = tuple[int, int, int, int, int, int]


class Conv(nn.Conv3d):
    """Zeros around (columns, rows, frames; before and behind), a convolution, an activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Triple = (1, 1, 1),
        stride: Triple = (1, 1, 1),
        groups: int = 1,
        pad: Pad = (0, 0, 0, 0, 0, 0),
        bias: bool = True,
        activation: Activation = None,
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=bias)
        self.pad, self.activation = pad, activation

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(F.pad(x, self.pad))
        return x if self.activation is None else self.activation(x)


class Pool(nn.Module):
    """The largest value, or the mean, of the real elements in each window."""

    def __init__(self, mode: str, kernel: Triple, stride: Triple, pad: Pad) -> None:
        super().__init__()
        self.mode, self.kernel, self.stride, self.pad = mode, kernel, stride, pad

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "max":
            return F.max_pool3d(F.pad(x, self.pad, value=-math.inf), self.kernel, self.stride)
        real = F.pad(torch.ones_like(x[:1, :1]), self.pad)
        return F.avg_pool3d(F.pad(x, self.pad), self.kernel, self.stride) / F.avg_pool3d(
            real, self.kernel, self.stride
        )


class Shift(nn.Module):
    """Some channels come from the next frame, as many from the last one."""

    def __init__(self, shifted: int) -> None:
        super().__init__()
        self.shifted = shifted

    def forward(self, x: Tensor) -> Tensor:
        ahead, behind, kept = x.tensor_split([self.shifted, 2 * self.shifted], 1)
        ahead = F.pad(ahead[:, :, 1:], (0, 0, 0, 0, 0, 1))
        behind = F.pad(behind[:, :, :-1], (0, 0, 0, 0, 1, 0))
        return torch.cat((ahead, behind, kept), 1)


class PackFrames(nn.Module):
    """Frames one after the other become channels; the last are filled up with zeros."""

    def __init__(self, packed: int, missing: int) -> None:
        super().__init__()
        self.packed, self.missing = packed, missing

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, 0, 0, self.missing)).transpose(1, 2)
        batch, frames, _, rows, columns = x.shape
        return x.reshape(batch, frames // self.packed, -1, rows, columns).transpose(1, 2)


class Gate(nn.Module):
    """Channels scaled by a function of their means over the clip, or over each frame."""

    def __init__(self, per_frame: bool, *layers: nn.Module) -> None:
        super().__init__()
        self.axes = (3, 4) if per_frame else (2, 3, 4)
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.layers(x.mean(self.axes, keepdim=True))
        return gated


class NonLocal(nn.Module):
    """Every position looks at every other one."""

    def __init__(self, embed: Conv, project: Conv, softmax: bool) -> None:
        super().__init__()
        self.embed, self.project, self.softmax = embed, project, softmax

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.embed(x).flatten(2).chunk(3, 1)
        if self.softmax:
            weights = (queries.transpose(1, 2) @ keys).softmax(2)
            attended = values @ weights.transpose(1, 2)
        else:
            attended = values @ keys.transpose(1, 2) / values.shape[2] @ queries
        result: Tensor = self.project(attended.unflatten(2, x.shape[2:])) + x
        return result


class ChannelTimeLearning(nn.Module):
    """A focus on channels, and what happens between positions, gated by a narrow path."""

    def __init__(
        self,
        squeeze: Conv,
        excite: Conv,
        focus: Conv,
        near: Conv,
        reduce: Conv,
        far: Conv,
        restore: Conv,
        positions: tuple[int, ...],
        activation: Activation,
    ) -> None:
        super().__init__()
        self.squeeze, self.excite, self.focus, self.near = squeeze, excite, focus, near
        self.reduce, self.far, self.restore = reduce, far, restore
        self.positions = nn.Parameter(torch.zeros(positions))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        weighed = x * self.excite(self.squeeze(x.mean((3, 4), keepdim=True))).sigmoid()
        gate = self.restore(self.far(self.reduce(weighed) + self.positions)).sigmoid()
        learnt: Tensor = self.focus(weighed) + self.near(x) * gate
        return learnt if self.activation is None else self.activation(learnt)


class Head(nn.Linear):
    """The classes of the whole clip, by its mean or by those of its frames, weighed by their own scores."""

    def __init__(self, inputs: int, classes: int, per_frame: bool) -> None:
        super().__init__(inputs, classes)
        self.per_frame = per_frame

    def forward(self, x: Tensor) -> Tensor:
        if not self.per_frame:
            return super().forward(x.mean((2, 3, 4)))
        logits = super().forward(x.mean((3, 4)).transpose(1, 2))
        return ((logits / math.sqrt(logits.shape[1])).softmax(1) * logits).sum(1)
