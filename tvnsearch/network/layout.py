"""The one memory layout that every layer takes and returns, and the two ways to look at it.

Features lie in memory as batch, frame, row, column, channel. Spatial layers see them with time folded into
the batch, ``(batch * frames, channels, height, width)`` in channels_last; temporal layers see the same memory
with the pixels folded into one axis, ``(batch, channels, frames, height * width)`` in channels_last. Moving
between the two is a view, never a copy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tvnsearch.genome.calls import Shape


def fold_clips(clips: Tensor) -> Tensor:
    """``(batch, frames, height, width, 3)`` as decoded -> ``(batch * frames, 3, height, width)``."""
    return clips.flatten(0, 1).permute(0, 3, 1, 2)


def over_time(features: Tensor, shape: Shape) -> Tensor:
    """Spatial view -> temporal view ``(batch, channels, frames, height * width)``."""
    rows = features.permute(0, 2, 3, 1).reshape(-1, shape.frames, shape.height * shape.width, shape.channels)
    return rows.permute(0, 3, 1, 2)


def over_space(features: Tensor, shape: Shape) -> Tensor:
    """Temporal view or clip -> spatial view ``(batch * frames, channels, height, width)``."""
    rows = features.movedim(1, -1).reshape(-1, shape.height, shape.width, shape.channels)
    return rows.permute(0, 3, 1, 2)


def over_clip(features: Tensor, shape: Shape) -> Tensor:
    """Spatial view -> ``(batch, channels, frames, height, width)``, in channels_last_3d."""
    rows = features.permute(0, 2, 3, 1).reshape(-1, shape.frames, shape.height, shape.width, shape.channels)
    return rows.permute(0, 4, 1, 2, 3)


def lay_out_weights(conv: nn.Conv2d | nn.Conv3d) -> None:
    """Lay out a convolution's weights as it finds its features, so that it hands on the same layout."""
    layout = torch.channels_last if conv.weight.dim() == 4 else torch.channels_last_3d
    conv.to(memory_format=layout)  # type: ignore[call-overload]


def keep_layout(features: Tensor) -> Tensor:
    """``features`` in the one layout: a view where they are in it, a copy where one channel left it open."""
    layout = torch.channels_last if features.dim() == 4 else torch.channels_last_3d
    return features.contiguous(memory_format=layout)


def over_positions(features: Tensor, shape: Shape) -> Tensor:
    """Spatial view -> ``(batch, frames * height * width, channels)``, contiguous."""
    return features.permute(0, 2, 3, 1).reshape(-1, shape.positions, shape.channels)


def from_positions(features: Tensor, shape: Shape) -> Tensor:
    """``(batch, frames * height * width, channels)`` -> spatial view."""
    return features.reshape(-1, shape.height, shape.width, shape.channels).permute(0, 3, 1, 2)
