"""What layers with a window execute on one input shape: convolutions and pools, over space, time or both."""

from __future__ import annotations

from functools import lru_cache

from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall, Shape, make_shape, moved
from tvnsearch.genome.layers import (
    Conv3d,
    DepthwiseConv,
    DepthwiseConv3d,
    SpatialConv,
    SpatialPool,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalPool,
)
from tvnsearch.genome.windows import SEPARABLE_POOL_KERNEL, live_kernel


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


@lru_cache(maxsize=65536)
def _square_kernel(kernel: int, stride: int, height: int, width: int) -> tuple[int, int]:
    """What is live of a square kernel, over rows and over columns."""
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


def spatial_conv_call(layer: SpatialConv, shape: Shape, strided: bool) -> LayerCall:
    """A convolution over each frame."""
    _, height, width, channels = shape
    filters = layer.filters
    longer = height if height > width else width
    stride = _effective_stride(layer.stride, longer, strided)
    kernel = kernel_width = layer.kernel
    if kernel > height or kernel > width:
        kernel, kernel_width = _square_kernel(kernel, stride, height, width)
    out = _over_space(shape, stride, filters)
    weights = kernel * kernel_width * channels * filters
    return _with_norm("spatial_conv", shape, out, weights, layer.activation, kernel, kernel_width, stride)


def depthwise_conv_call(layer: DepthwiseConv, shape: Shape, strided: bool) -> LayerCall:
    """A depthwise convolution over each frame."""
    _, height, width, channels = shape
    longer = height if height > width else width
    stride = _effective_stride(layer.stride, longer, strided)
    kernel = kernel_width = layer.kernel
    if kernel > height or kernel > width:
        kernel, kernel_width = _square_kernel(kernel, stride, height, width)
    out = _over_space(shape, stride, channels)
    weights = kernel * kernel_width * channels
    return _with_norm("depthwise_conv", shape, out, weights, layer.activation, kernel, kernel_width, stride)


def temporal_conv_call(layer: TemporalConv, shape: Shape, strided: bool) -> LayerCall | None:
    """A convolution over time; none on a single frame, and one over space where a single tap is left."""
    frames, _, _, channels = shape
    if frames == 1:
        return None
    filters = layer.filters
    stride = _effective_stride(layer.stride, frames, strided)
    kernel = layer.kernel
    if kernel > frames:
        kernel = live_kernel(frames, kernel, stride)
    if kernel == 1 and stride == 1:
        return spatial_conv_call(SpatialConv(filters, activation=layer.activation), shape, strided)
    out = _over_time(shape, stride, filters)
    weights = kernel * channels * filters
    return _with_norm("temporal_conv", shape, out, weights, layer.activation, kernel, 1, stride)


def temporal_depthwise_call(layer: TemporalDepthwiseConv, shape: Shape, strided: bool) -> LayerCall | None:
    """A depthwise convolution over time; the same holds."""
    frames, _, _, channels = shape
    if frames == 1:
        return None
    stride = _effective_stride(layer.stride, frames, strided)
    kernel = layer.kernel
    if kernel > frames:
        kernel = live_kernel(frames, kernel, stride)
    if kernel == 1 and stride == 1:
        return depthwise_conv_call(DepthwiseConv(1, activation=layer.activation), shape, strided)
    out = _over_time(shape, stride, channels)
    weights = kernel * channels
    return _with_norm("temporal_depthwise_conv", shape, out, weights, layer.activation, kernel, 1, stride)


def conv3d_call(layer: Conv3d, shape: Shape, strided: bool) -> LayerCall:
    """A convolution over space and time."""
    return _over_space_and_time(
        "conv3d", layer, layer.filters, shape.channels * layer.filters, shape, strided
    )


def depthwise_conv3d_call(layer: DepthwiseConv3d, shape: Shape, strided: bool) -> LayerCall:
    """A depthwise convolution over space and time."""
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


def spatial_pool_call(layer: SpatialPool, shape: Shape, strided: bool) -> LayerCall | None:
    """A pool over each frame; none where it changes nothing."""
    _, height, width, channels = shape
    longer = height if height > width else width
    stride = _effective_stride(layer.stride, longer, strided)
    kernel = kernel_width = layer.kernel
    if kernel > height or kernel > width:
        kernel, kernel_width = _square_kernel(kernel, stride, height, width)
    if kernel == kernel_width == stride == 1:
        return None
    out = _over_space(shape, stride, channels)
    return _pool("spatial_pool", layer.mode, shape, out, kernel, kernel_width, stride)


def temporal_pool_call(layer: TemporalPool, shape: Shape, strided: bool) -> LayerCall | None:
    """A pool over time; none where it changes nothing."""
    frames, _, _, channels = shape
    stride = _effective_stride(layer.stride, frames, strided)
    kernel = layer.kernel
    if kernel > frames:
        kernel = live_kernel(frames, kernel, stride)
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
