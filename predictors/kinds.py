"""Kinds of layer calls: what a runtime executes with one kernel takes the same time for the same work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictors.call_table import MODES, TYPES, CallTable
from tvnsearch.genome.kinds import CONVOLUTIONS, OVER_BOTH, POOLS

FEW_CHANNELS = 8
"""Below this many input channels (the image itself, mostly), runtimes use other kernels."""

RELATIVES = {
    "convolutions": (
        *("spatial_conv", "temporal_conv", "conv3d"),
        *("dense", "non_local", "channel_time_learning"),
    ),
    "gates": ("context_gate", "squeeze_excite", "head"),
    "copies": ("activation", "add", "concat", "temporal_shift", "frame_packing"),
}
"""Types whose inner loops resemble each other enough to stand in for each other; no others do."""

_VARIANTS = ("", "few_channels", "pointwise", "strided")

_IS_CONVOLUTION = np.array([name in CONVOLUTIONS - OVER_BOTH for name in TYPES])
_IS_POOL = np.array([name in POOLS for name in TYPES])

KIND_NAMES = np.array(
    [f"{kind}:{variant or mode}".rstrip(":") for kind in TYPES for mode in MODES for variant in _VARIANTS]
)
"""The names that :func:`call_kinds` counts; a variant has one name whatever the mode."""


def call_kinds(table: CallTable) -> NDArray[np.intp]:
    """Each call's place in :data:`KIND_NAMES`: its type, and what makes a runtime take another kernel."""
    types, modes = table.type.astype(np.intp), table.mode.astype(np.intp)
    is_convolution, is_pool = _IS_CONVOLUTION[types], _IS_POOL[types]
    is_of_one = (table.kernel == 1) & (table.kernel_width == 1)
    is_strided = is_pool & is_of_one
    has_few_channels = (is_convolution | is_pool & ~is_strided) & (table.in_channels < FEW_CHANNELS)
    is_pointwise = is_convolution & ~has_few_channels & is_of_one
    variants = has_few_channels + 2 * is_pointwise + 3 * is_strided
    return np.asarray((types * len(MODES) + modes) * len(_VARIANTS) + variants, dtype=np.intp)


def relatives_of(kind: str) -> str | None:
    """The name in :data:`RELATIVES` of what resembles ``kind``, one of :data:`KIND_NAMES`."""
    layer_type = kind.partition(":")[0]
    return next((name for name, types in RELATIVES.items() if layer_type in types), None)
