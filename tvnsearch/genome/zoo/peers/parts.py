"""What the networks of several families are made of."""

from __future__ import annotations

from tvnsearch.genome.layers import Activation, Extent, Gate, SpatialPool, SqueezeExcite, TemporalPool

GLOBAL_FRAME_POOL = SpatialPool("avg", kernel=64, stride=64)
"""The mean of each frame: a window of 64 pixels and more covers every map that gets here."""

GLOBAL_TIME_POOL = TemporalPool("avg", kernel=64, stride=64)
"""The mean over time of up to 64 frames."""


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
