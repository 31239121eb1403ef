"""What the networks of several families are made of."""

from __future__ import annotations

from tvnsearch.genome.layers import Activation, Extent, Gate, SpatialPool, SqueezeExcite, TemporalPool


def divisible_width(width: float) -> int:
    """``width`` rounded to a multiple of 8, but never below nine tenths of it (Sandler et al. 2018)."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8


def squeeze_excite(
    channels: int,
    hidden: int,
    inner: Activation = "relu",
    gate: Gate = "sigmoid",
    over: Extent = "clip",
) -> SqueezeExcite:
    """Squeeze-and-excitation of ``channels`` through ``hidden`` units, 8 or more."""
    # The layer rounds channels * ratio down: aiming half a unit higher hits the width whatever the float.
    return SqueezeExcite(ratio=(hidden + 0.5) / channels, inner=inner, gate=gate, over=over)


def pool_frame(resolution: int, stride: int) -> SpatialPool:
    """The mean of each frame, after ``resolution`` was divided by ``stride``."""
    size = -(-resolution // stride)
    return SpatialPool("avg", kernel=size, stride=size)


def pool_clip(resolution: int, stride: int, frames: int) -> tuple[SpatialPool, TemporalPool]:
    """The mean of a clip of ``frames``, after ``resolution`` was divided by ``stride``."""
    return pool_frame(resolution, stride), TemporalPool("avg", kernel=frames, stride=frames)
