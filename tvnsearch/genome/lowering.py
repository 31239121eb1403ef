"""Layers that stand for several simpler ones, written out; so that equal work is written equally."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tvnsearch.genome.calls import Shape
from tvnsearch.genome.layers import (
    Branches,
    Conv3d,
    DepthwiseConv,
    DepthwiseConv3d,
    InvertedResidual,
    Layer,
    SpatialConv,
    SpatialPool,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalInvertedResidual,
    TemporalPool,
)


def _inverted(layer: InvertedResidual, shape: Shape) -> tuple[Layer, ...]:
    depthwise = DepthwiseConv(layer.kernel, layer.stride, layer.activation)
    return _widened_and_narrowed(layer, depthwise, shape.channels)


def _temporal_inverted(layer: TemporalInvertedResidual, shape: Shape) -> tuple[Layer, ...]:
    if shape.frames == 1:
        return ()
    depthwise = TemporalDepthwiseConv(layer.kernel, layer.stride, layer.activation)
    return _widened_and_narrowed(layer, depthwise, shape.channels)


def _widened_and_narrowed(
    layer: InvertedResidual | TemporalInvertedResidual, depthwise: Layer, channels: int
) -> tuple[Layer, ...]:
    width = int(channels * layer.expansion)
    wider = () if width == channels else (SpatialConv(width, activation=layer.activation),)
    return (Branches("sum", ((*wider, depthwise, SpatialConv(layer.filters)), ())),)


def _strided_pointwise(layer: SpatialConv | DepthwiseConv, shape: Shape) -> tuple[Layer, ...] | None:
    """A kernel of 1 drops the pixels that its stride skips before it convolves: no result needs them.

    Runtimes are not safe without: oneDNN's backward pass of a strided 1x1 convolution hangs or writes outside
    its memory at some shapes (torch 2.13).
    """
    if layer.kernel > 1 or layer.stride == 1:
        return None
    return (SpatialPool("max", 1, layer.stride), replace(layer, stride=1))


def _temporal_pointwise(
    layer: TemporalConv | TemporalDepthwiseConv, shape: Shape
) -> tuple[Layer, ...] | None:
    """The same over time."""
    if shape.frames == 1 or layer.kernel > 1 or layer.stride == 1:
        return None
    return (TemporalPool("max", 1, layer.stride), replace(layer, stride=1))


def _over_space_and_time(layer: Conv3d | DepthwiseConv3d, shape: Shape) -> tuple[Layer, ...] | None:
    """On one side alone where the other does nothing but drop frames or pixels."""
    if shape.frames == 1 or layer.kernel_frames == 1:
        return (TemporalPool("max", 1, layer.stride_frames), _over_space(layer))
    if layer.kernel == 1 or shape.height == shape.width == 1:
        return (SpatialPool("max", 1, layer.stride), _over_time(layer))
    return None


def _over_space(layer: Conv3d | DepthwiseConv3d) -> Layer:
    if isinstance(layer, Conv3d):
        return SpatialConv(layer.filters, layer.kernel, layer.stride, layer.activation)
    return DepthwiseConv(layer.kernel, layer.stride, layer.activation)


def _over_time(layer: Conv3d | DepthwiseConv3d) -> Layer:
    if isinstance(layer, Conv3d):
        return TemporalConv(layer.filters, layer.kernel_frames, layer.stride_frames, layer.activation)
    return TemporalDepthwiseConv(layer.kernel_frames, layer.stride_frames, layer.activation)


LOWERINGS: dict[type[Layer], Callable[[Any, Shape], tuple[Layer, ...] | None]] = {
    InvertedResidual: _inverted,
    TemporalInvertedResidual: _temporal_inverted,
    SpatialConv: _strided_pointwise,
    DepthwiseConv: _strided_pointwise,
    TemporalConv: _temporal_pointwise,
    TemporalDepthwiseConv: _temporal_pointwise,
    Conv3d: _over_space_and_time,
    DepthwiseConv3d: _over_space_and_time,
}
"""How layers of these types are written in simpler ones on an input shape; None where they stay."""
