"""Kinds of layer calls: what a runtime executes with one kernel takes the same time for the same work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictors.call_table import CUT_TYPES, MODES, TYPES, CallTable

FEW_CHANNELS = 8
"""Below this many input channels (the image itself, mostly), runtimes use other kernels."""

RELATIVES = {
    "convolutions": ("spatial_conv", "temporal_conv", "conv3d", "dense", "non_local"),
    "gates": ("context_gate", "squeeze_excite", "head"),
    "copies": ("activation", "add", "concat", "temporal_shift"),
}
"""Types whose inner loops resemble each other enough to stand in for each other; no others do."""

_POOLS = ("spatial_pool", "temporal_pool")
_VARIANTS = ("", "few_channels", "pointwise", "strided")

_IS_CONVOLUTION = np.array([name in CUT_TYPES for name in TYPES])
_IS_POOL = np.array([name in _POOLS for name in TYPES])

KIND_NAMES = np.array(
    [f"{kind}:{variant or mode}".rstrip(":") for kind in TYPES for mode in MODES for variant in _VARIANTS]
)
"""The names that :func:`call_kinds` counts; a variant has one name whatever the mode."""


def call_kinds(table: CallTable) -> NDArray[np.intp]:
    """The place in :data:`KIND_NAMES` of each call: its type, and what makes a runtime take another kernel.

    Any convolution over a single pixel, or a single frame, is deployed as a 1x1 one.
    """
    types, modes = table.type.astype(np.intp), table.mode.astype(np.intp)
    is_convolution, is_pool = _IS_CONVOLUTION[types], _IS_POOL[types]
    is_of_one = table.traced_kernel == 1
    is_strided = is_pool & is_of_one
    has_few_channels = (is_convolution | is_pool & ~is_strided) & (table.in_channels < FEW_CHANNELS)
    is_pointwise = is_convolution & ~has_few_channels & (is_of_one | (table.size == 1))
    variants = has_few_channels + 2 * is_pointwise + 3 * is_strided
    return np.asarray((types * len(MODES) + modes) * len(_VARIANTS) + variants, dtype=np.intp)


def relatives_of(kind: str) -> str | None:
    """The name in :data:`RELATIVES` of what resembles ``kind``, one of :data:`KIND_NAMES`."""
    layer_type = kind.partition(":")[0]
    return next((name for name, types in RELATIVES.items() if layer_type in types), None)
