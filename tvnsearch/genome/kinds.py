"""What the layer calls of one type have in common: one record a type, read by everyone who must know.

A new type of layer call is a record here, a layer and its call in :mod:`tvnsearch.genome.layers` and
:mod:`tvnsearch.genome.layer_calls`, and a module in :mod:`tvnsearch.network`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Family = Literal["convolution", "dense", "pool", "attention", "gate", "copy", "head"]
Axis = Literal["none", "space", "time", "both"]


class CallKind(Struct, frozen=True):
    """A type of layer call.

    ``axis`` is what its kernel and stride run along. ``ends_with_activation`` says that an activation behind
    it is computed by it, ``keeps_sign`` that nothing negative comes out where nothing negative goes in.
    """

    name: str
    family: Family
    axis: Axis = "none"
    depthwise: bool = False
    has_norm: bool = False
    ends_with_activation: bool = False
    keeps_sign: bool = False


def _convolution(name: str, axis: Axis, depthwise: bool = False) -> CallKind:
    return CallKind(name, "convolution", axis, depthwise, has_norm=True, ends_with_activation=True)


KINDS: dict[str, CallKind] = {
    kind.name: kind
    for kind in (
        _convolution("spatial_conv", "space"),
        _convolution("depthwise_conv", "space", depthwise=True),
        _convolution("temporal_conv", "time"),
        _convolution("temporal_depthwise_conv", "time", depthwise=True),
        _convolution("conv3d", "both"),
        _convolution("depthwise_conv3d", "both", depthwise=True),
        CallKind("dense", "dense", ends_with_activation=True),
        CallKind("spatial_pool", "pool", "space", keeps_sign=True),
        CallKind("temporal_pool", "pool", "time", keeps_sign=True),
        CallKind("temporal_shift", "copy", keeps_sign=True),
        CallKind("frame_packing", "copy", keeps_sign=True),
        CallKind("non_local", "attention", has_norm=True),
        CallKind("channel_time_learning", "attention", has_norm=True, ends_with_activation=True),
        CallKind("context_gate", "gate", keeps_sign=True),
        CallKind("squeeze_excite", "gate", keeps_sign=True),
        CallKind("activation", "copy", ends_with_activation=True),
        CallKind("add", "copy", ends_with_activation=True, keeps_sign=True),
        CallKind("concat", "copy", keeps_sign=True),
        CallKind("head", "head"),
    )
}
"""Every type of layer call by its name. Stored predictors count them by their place here."""


def names_where(holds: Callable[[CallKind], bool]) -> frozenset[str]:
    """The names of the types of which ``holds`` is true."""
    return frozenset(name for name, kind in KINDS.items() if holds(kind))


NON_NEGATIVE = frozenset({"relu", "relu6"})
"""Activations behind which nothing is negative."""

KEEP_NON_NEGATIVE = frozenset({"swish", "hswish"})
"""Activations behind which nothing is negative where nothing was."""

CONVOLUTIONS = names_where(lambda kind: kind.family == "convolution")
DEPTHWISE = names_where(lambda kind: kind.depthwise)
POOLS = names_where(lambda kind: kind.family == "pool")
GATES = names_where(lambda kind: kind.family == "gate")
OVER_SPACE = names_where(lambda kind: kind.axis == "space")
OVER_TIME = names_where(lambda kind: kind.axis == "time")
OVER_BOTH = names_where(lambda kind: kind.axis == "both")
WITH_NORM = names_where(lambda kind: kind.has_norm)
END_WITH_ACTIVATION = names_where(lambda kind: kind.ends_with_activation)
"""Types that have something in common."""
