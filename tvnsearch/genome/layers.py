"""The layer types that a genome is written in, each with its parameters.

Ranges here are what can be built at all; what a search may draw is the business of a search space.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Activation = Literal["none", "relu", "hswish"]
PoolMode = Literal["avg", "max"]

Kernel = Annotated[int, Meta(ge=1, le=64)]
Stride = Annotated[int, Meta(ge=1, le=64)]
Filters = Annotated[int, Meta(ge=1, le=16384)]
Ratio = Annotated[float, Meta(gt=0.0, le=1.0)]


class _Layer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", gc=False):
    """What every layer record has in common: immutable, hashable, strict about its fields."""


class SpatialConv(_Layer, frozen=True, tag="spatial_conv"):
    """A kernel x kernel convolution over each frame, BatchNorm, activation."""

    filters: Filters
    kernel: Kernel = 1
    stride: Stride = 1
    activation: Activation = "none"


class DepthwiseConv(_Layer, frozen=True, tag="depthwise_conv"):
    """A kernel x kernel convolution over each frame, one filter a channel, BatchNorm, activation."""

    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "none"


class TemporalConv(_Layer, frozen=True, tag="temporal_conv"):
    """A 1-D convolution over time at every pixel, BatchNorm, activation; not executed on a single frame."""

    filters: Filters
    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "none"


class SpatialPool(_Layer, frozen=True, tag="spatial_pool"):
    """Average or max pooling over each frame; averages count real pixels only, never the padding."""

    mode: PoolMode
    kernel: Kernel
    stride: Stride = 1


class TemporalPool(_Layer, frozen=True, tag="temporal_pool"):
    """Average or max pooling over time at every pixel; not executed on a single frame."""

    mode: PoolMode
    kernel: Kernel
    stride: Stride = 1


class NonLocal(_Layer, frozen=True, tag="non_local"):
    """A non-local block over all positions, residual inside (Wang et al. 2018, dot-product form)."""

    bottleneck: Filters


class ContextGate(_Layer, frozen=True, tag="context_gate"):
    """Channels scaled by a sigmoid of one linear layer on their means (Miech et al. 2017)."""


class SqueezeExcite(_Layer, frozen=True, tag="squeeze_excite"):
    """Channels scaled through a squeezed pair of linear layers on their means (Hu et al. 2018).

    The hidden width is ``max(int(channels * ratio), 8)``.
    """

    ratio: Ratio


Layer = (
    SpatialConv
    | DepthwiseConv
    | TemporalConv
    | SpatialPool
    | TemporalPool
    | NonLocal
    | ContextGate
    | SqueezeExcite
)
