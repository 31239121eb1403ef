"""What the networks of several families are made of."""

from __future__ import annotations

from tvnsearch.genome.genome import MOST_FRAMES, MOST_PIXELS
from tvnsearch.genome.layers import Activation, Extent, Gate, SpatialPool, SqueezeExcite, TemporalPool

GLOBAL_FRAME_POOL = SpatialPool("avg", kernel=MOST_PIXELS, stride=MOST_PIXELS)
"""The mean of each frame, however large."""

GLOBAL_TIME_POOL = TemporalPool("avg", kernel=MOST_FRAMES, stride=MOST_FRAMES)
"""The mean over time of any clip."""


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
