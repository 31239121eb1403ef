"""What one layer executes on one input shape.

What does nothing is not a call: pools of kernel 1 without stride, spatial pools on one pixel, temporal layers
on a single frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall, Shape, make_shape, moved
from tvnsearch.genome.channel_time import channel_time_call
from tvnsearch.genome.layers import (
    ChannelTimeLearning,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv,
    DepthwiseConv3d,
    FramePacking,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalPool,
    TemporalShift,
)
from tvnsearch.genome.window_calls import (
    conv3d_call,
    depthwise_conv3d_call,
    depthwise_conv_call,
    spatial_conv_call,
    spatial_pool_call,
    temporal_conv_call,
    temporal_depthwise_call,
    temporal_pool_call,
)

MIN_SQUEEZE_WIDTH = 8

MOST_ATTENDED_POSITIONS = 4096
"""The embedded-Gaussian form relates all positions to all others: the work grows with their square."""

Primitive: TypeAlias = (
    SpatialConv
    | DepthwiseConv
    | TemporalConv
    | TemporalDepthwiseConv
    | Conv3d
    | DepthwiseConv3d
    | Dense
    | SpatialPool
    | TemporalPool
    | TemporalShift
    | FramePacking
    | NonLocal
    | ContextGate
    | SqueezeExcite
    | ChannelTimeLearning
)
"""Layers that are executed as one call; the others are written out in these first."""


def layer_call(layer: Primitive, in_shape: Shape, strided: bool = True) -> LayerCall | None:
    """What ``layer`` executes on ``in_shape``, or None where it does nothing; unstrided in later repeats.

    Raises:
        UserError: a non-local block in its embedded-Gaussian form has too many positions to relate.
    """
    return CALLS[type(layer)](layer, in_shape, strided)


def _dense(layer: Dense, shape: Shape, strided: bool) -> LayerCall:
    out = shape._replace(channels=layer.filters)
    weights = shape.channels * layer.filters
    params = weights + layer.filters
    return LayerCall(
        "dense",
        shape,
        out,
        activation=layer.activation,
        params=params,
        macs=weights * out.positions,
        bytes_moved=moved(shape.values, out.values, params),
    )


def _temporal_shift(layer: TemporalShift, shape: Shape, strided: bool) -> LayerCall | None:
    shifted = int(shape.channels * layer.share)
    if shape.frames == 1 or shifted == 0:
        return None
    return LayerCall(
        "temporal_shift", shape, shape, hidden=shifted, bytes_moved=moved(shape.values, shape.values)
    )


def _frame_packing(layer: FramePacking, shape: Shape, strided: bool) -> LayerCall | None:
    frames, height, width, channels = shape
    packed = min(layer.frames, frames)
    if packed == 1:
        return None
    out = make_shape((-(-frames // packed), height, width, packed * channels))
    return LayerCall(
        "frame_packing",
        shape,
        out,
        kernel_frames=packed,
        stride_frames=packed,
        bytes_moved=moved(shape.values, out.values),
    )


def _non_local(layer: NonLocal, shape: Shape, strided: bool) -> LayerCall:
    frames, height, width, channels = shape
    positions, inner = frames * height * width, layer.bottleneck
    weights = 4 * channels * inner
    params = weights + 2 * channels
    values, inner_values = positions * channels, 5 * positions * inner
    by_softmax = layer.form == "embedded_gaussian"
    if by_softmax and positions > MOST_ATTENDED_POSITIONS:
        raise UserError(
            f"expected at most {MOST_ATTENDED_POSITIONS:,} positions for a non-local block in its "
            f"embedded-Gaussian form, which relates each to all others, but got {positions:,} ({frames} "
            f"frames of {height} x {width}); use its dot_product form, or fewer pixels or frames before it"
        )
    # Keys meet values first, in a matrix of the bottleneck's size, unless a softmax stands between.
    related = positions if by_softmax else inner
    return LayerCall(
        "non_local",
        shape,
        shape,
        hidden=inner,
        mode="softmax" if by_softmax else "",
        params=params,
        macs=positions * (weights + 2 * inner * related),
        bytes_moved=moved(4 * values + inner_values, values + inner_values, params),
    )


def _context_gate(layer: ContextGate, shape: Shape, strided: bool) -> LayerCall:
    channels, values = shape.channels, shape.values
    weights = channels * channels
    params = weights + channels
    return LayerCall(
        "context_gate",
        shape,
        shape,
        mode="clip_sigmoid",
        params=params,
        macs=weights,
        bytes_moved=moved(2 * values, values, params),
    )


def _squeeze_excite(layer: SqueezeExcite, shape: Shape, strided: bool) -> LayerCall:
    frames, _, _, channels = shape
    values = shape.values
    hidden = max(int(channels * layer.ratio), MIN_SQUEEZE_WIDTH)
    over = layer.over if frames > 1 else "clip"
    gates = frames if over == "frame" else 1
    weights = 2 * channels * hidden
    params = weights + hidden + channels
    return LayerCall(
        "squeeze_excite",
        shape,
        shape,
        hidden=hidden,
        mode=f"{over}_{layer.gate}",
        activation=layer.inner,
        params=params,
        macs=weights * gates,
        bytes_moved=moved(2 * values, values, params),
    )


CALLS: dict[type[Struct], Callable[..., LayerCall | None]] = {
    SpatialConv: spatial_conv_call,
    DepthwiseConv: depthwise_conv_call,
    TemporalConv: temporal_conv_call,
    TemporalDepthwiseConv: temporal_depthwise_call,
    Conv3d: conv3d_call,
    DepthwiseConv3d: depthwise_conv3d_call,
    Dense: _dense,
    SpatialPool: spatial_pool_call,
    TemporalPool: temporal_pool_call,
    TemporalShift: _temporal_shift,
    FramePacking: _frame_packing,
    NonLocal: _non_local,
    ContextGate: _context_gate,
    SqueezeExcite: _squeeze_excite,
    ChannelTimeLearning: channel_time_call,
}
