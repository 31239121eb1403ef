"""What one layer executes on one input shape.

What does nothing is not a call: pools of kernel 1 without stride, spatial pools on one pixel, temporal layers
on a single frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall, Shape, make_shape, moved
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
from tvnsearch.genome.windows import SEPARABLE_POOL_KERNEL, live_kernel

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


def _effective_stride(stride: int, size: int, strided: bool) -> int:
    """Strides beyond the map all pick the one first output."""
    if not strided or stride == 1:
        return 1
    return stride if stride < size else size


def _over_space(shape: Shape, stride: int, channels: int) -> Shape:
    frames, height, width, in_channels = shape
    if stride == 1 and channels == in_channels:
        return shape
    return make_shape((frames, -(-height // stride), -(-width // stride), channels))


def _over_time(shape: Shape, stride: int, channels: int) -> Shape:
    frames, height, width, in_channels = shape
    if stride == 1 and channels == in_channels:
        return shape
    return make_shape((-(-frames // stride), height, width, channels))


def _square_kernel(kernel: int, stride: int, height: int, width: int) -> tuple[int, int]:
    """What is live of a square kernel, over rows and over columns."""
    if kernel <= height and kernel <= width:
        return kernel, kernel
    return live_kernel(height, kernel, min(stride, height)), live_kernel(width, kernel, min(stride, width))


def _with_norm(
    kind: str,
    in_shape: Shape,
    out: Shape,
    weights: int,
    activation: str,
    kernel: int,
    kernel_width: int,
    stride: int,
    kernel_frames: int = 1,
    stride_frames: int = 1,
) -> LayerCall:
    """A convolution of ``weights`` weights, each used once at every output position, and its BatchNorm."""
    in_frames, in_height, in_width, in_channels = in_shape
    out_frames, out_height, out_width, out_channels = out
    positions = out_frames * out_height * out_width
    params = weights + 2 * out_channels
    values = in_frames * in_height * in_width * in_channels + positions * out_channels
    return LayerCall(
        kind,
        in_shape,
        out,
        kernel,
        kernel_width,
        stride,
        kernel_frames,
        stride_frames,
        activation=activation,
        params=params,
        macs=weights * positions,
        bytes_moved=(values + params) * BYTES_PER_VALUE,
    )


def _spatial_conv(layer: SpatialConv, shape: Shape, strided: bool) -> LayerCall:
    _, height, width, channels = shape
    filters = layer.filters
    stride = _effective_stride(layer.stride, max(height, width), strided)
    kernel, kernel_width = _square_kernel(layer.kernel, stride, height, width)
    out = _over_space(shape, stride, filters)
    weights = kernel * kernel_width * channels * filters
    return _with_norm("spatial_conv", shape, out, weights, layer.activation, kernel, kernel_width, stride)


def _depthwise_conv(layer: DepthwiseConv, shape: Shape, strided: bool) -> LayerCall:
    _, height, width, channels = shape
    stride = _effective_stride(layer.stride, max(height, width), strided)
    kernel, kernel_width = _square_kernel(layer.kernel, stride, height, width)
    out = _over_space(shape, stride, channels)
    weights = kernel * kernel_width * channels
    return _with_norm("depthwise_conv", shape, out, weights, layer.activation, kernel, kernel_width, stride)


def _temporal_conv(layer: TemporalConv, shape: Shape, strided: bool) -> LayerCall | None:
    frames, _, _, channels = shape
    if frames == 1:
        return None
    filters = layer.filters
    stride = _effective_stride(layer.stride, frames, strided)
    kernel = live_kernel(frames, layer.kernel, stride)
    if kernel == 1 and stride == 1:
        return layer_call(SpatialConv(filters, activation=layer.activation), shape)
    out = _over_time(shape, stride, filters)
    weights = kernel * channels * filters
    return _with_norm("temporal_conv", shape, out, weights, layer.activation, kernel, 1, stride)


def _temporal_depthwise(layer: TemporalDepthwiseConv, shape: Shape, strided: bool) -> LayerCall | None:
    frames, _, _, channels = shape
    if frames == 1:
        return None
    stride = _effective_stride(layer.stride, frames, strided)
    kernel = live_kernel(frames, layer.kernel, stride)
    if kernel == 1 and stride == 1:
        return layer_call(DepthwiseConv(1, activation=layer.activation), shape)
    out = _over_time(shape, stride, channels)
    weights = kernel * channels
    return _with_norm("temporal_depthwise_conv", shape, out, weights, layer.activation, kernel, 1, stride)


def _conv3d(layer: Conv3d, shape: Shape, strided: bool) -> LayerCall:
    return _over_space_and_time(
        "conv3d", layer, layer.filters, shape.channels * layer.filters, shape, strided
    )


def _depthwise_conv3d(layer: DepthwiseConv3d, shape: Shape, strided: bool) -> LayerCall:
    return _over_space_and_time("depthwise_conv3d", layer, shape.channels, shape.channels, shape, strided)


def _over_space_and_time(
    kind: str, layer: Conv3d | DepthwiseConv3d, channels: int, weights_a_tap: int, shape: Shape, strided: bool
) -> LayerCall:
    stride = _effective_stride(layer.stride, max(shape.height, shape.width), strided)
    stride_frames = _effective_stride(layer.stride_frames, shape.frames, strided)
    kernel, kernel_width = _square_kernel(layer.kernel, stride, shape.height, shape.width)
    kernel_frames = live_kernel(shape.frames, layer.kernel_frames, stride_frames)
    return _with_norm(
        kind,
        shape,
        _over_time(_over_space(shape, stride, channels), stride_frames, channels),
        weights_a_tap * kernel * kernel_width * kernel_frames,
        layer.activation,
        kernel,
        kernel_width,
        stride,
        kernel_frames,
        stride_frames,
    )


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


def _spatial_pool(layer: SpatialPool, shape: Shape, strided: bool) -> LayerCall | None:
    _, height, width, channels = shape
    stride = _effective_stride(layer.stride, max(height, width), strided)
    kernel, kernel_width = _square_kernel(layer.kernel, stride, height, width)
    if kernel == kernel_width == stride == 1:
        return None
    out = _over_space(shape, stride, channels)
    return _pool("spatial_pool", layer.mode, shape, out, kernel, kernel_width, stride)


def _temporal_pool(layer: TemporalPool, shape: Shape, strided: bool) -> LayerCall | None:
    frames, _, _, channels = shape
    stride = _effective_stride(layer.stride, frames, strided)
    kernel = live_kernel(frames, layer.kernel, stride)
    if kernel == stride == 1:
        return None
    out = _over_time(shape, stride, channels)
    return _pool("temporal_pool", layer.mode, shape, out, kernel, 1, stride)


def _pool(
    kind: str, mode: str, shape: Shape, out: Shape, kernel: int, kernel_width: int, stride: int
) -> LayerCall:
    in_two_passes = kind == "spatial_pool" and max(kernel, kernel_width) >= SEPARABLE_POOL_KERNEL
    between = out.frames * out.height * shape.width * out.channels if in_two_passes else 0
    return LayerCall(
        kind,
        shape,
        out,
        kernel,
        kernel_width,
        stride,
        # A window of one value has the same average as maximum.
        mode="max" if kernel == kernel_width == 1 else mode,
        bytes_moved=moved(shape.values + between, between + out.values),
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
    SpatialConv: _spatial_conv,
    DepthwiseConv: _depthwise_conv,
    TemporalConv: _temporal_conv,
    TemporalDepthwiseConv: _temporal_depthwise,
    Conv3d: _conv3d,
    DepthwiseConv3d: _depthwise_conv3d,
    Dense: _dense,
    SpatialPool: _spatial_pool,
    TemporalPool: _temporal_pool,
    TemporalShift: _temporal_shift,
    FramePacking: _frame_packing,
    NonLocal: _non_local,
    ContextGate: _context_gate,
    SqueezeExcite: _squeeze_excite,
    ChannelTimeLearning: channel_time_call,
}
