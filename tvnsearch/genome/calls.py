"""What one layer executes on one input shape: a layer call, with its parameters, MACs and bytes moved.

What does nothing is not a call: pools of kernel 1 without stride, spatial pools on one pixel, temporal layers
on a single frame.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from tvnsearch.genome.genome import Head
from tvnsearch.genome.layers import (
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv,
    DepthwiseConv3d,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalPool,
    TemporalShift,
)

BYTES_PER_VALUE = 4
MIN_SQUEEZE_WIDTH = 8

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
    | NonLocal
    | ContextGate
    | SqueezeExcite
)
"""Layers that are executed as one call; the others are written out in these first."""


class Shape(NamedTuple):
    """The size of one clip's features."""

    frames: int
    height: int
    width: int
    channels: int

    @property
    def positions(self) -> int:
        """Pixels over all frames."""
        return self.frames * self.height * self.width

    @property
    def values(self) -> int:
        """Numbers held, all channels counted."""
        return prod(self)


class LayerCall(Struct, frozen=True, gc=False, array_like=True, cache_hash=True):
    """One layer at its place in a network: the row of a latency table.

    ``type`` is a layer's tag, or ``add``, ``concat``, ``activation``, ``head``. In temporal layers ``kernel``
    and ``stride`` are frames; in others they are pixels, with ``kernel_frames`` and ``stride_frames`` beside
    them. ``hidden`` is the inner width of a non-local block or a squeeze, or the channels that a shift moves
    each way; ``mode`` the kind of pooling, of gate or of head. ``macs`` counts convolutions and linear
    layers; ``bytes_moved`` counts each float32 read and written once per pass over it, weights included.
    """

    type: str
    in_shape: Shape
    out_shape: Shape
    kernel: int = 1
    stride: int = 1
    kernel_frames: int = 1
    stride_frames: int = 1
    hidden: int = 0
    mode: str = ""
    activation: str = "none"
    params: int = 0
    macs: int = 0
    bytes_moved: int = 0


def layer_call(layer: Primitive, in_shape: Shape, strided: bool = True) -> LayerCall | None:
    """What ``layer`` executes on ``in_shape``, or None where it does nothing; unstrided in later repeats."""
    return CALLS[type(layer)](layer, in_shape, strided)


def moved(in_values: int, out_values: int, params: int = 0) -> int:
    """Bytes of values read and written, and of parameters read."""
    return (in_values + out_values + params) * BYTES_PER_VALUE


@lru_cache(maxsize=16384)
def head_call(shape: Shape, classes: int, head: Head = "mean") -> LayerCall:
    """The head: average pooling, dropout, one linear layer; on a single frame both kinds are the same."""
    frames, _, _, channels = shape
    weights = channels * classes
    params = weights + classes
    per_frame = head == "per_frame" and frames > 1
    frame_logits = frames * classes if per_frame else 0
    return LayerCall(
        "head",
        shape,
        _make_tuple(Shape, (1, 1, 1, classes)),
        mode="per_frame" if per_frame else "",
        params=params,
        macs=weights * (frames if per_frame else 1),
        bytes_moved=moved(shape.values + frame_logits, frame_logits + classes, params),
    )


def activation_call(function: str, shape: Shape) -> LayerCall:
    """An activation that no call before it can end with."""
    values = shape.values
    return LayerCall("activation", shape, shape, activation=function, bytes_moved=moved(values, values))


def add_call(shape: Shape) -> LayerCall:
    """The sum of two branches."""
    values = shape.values
    return LayerCall("add", shape, shape, bytes_moved=moved(2 * values, values))


def concat_call(shape: Shape) -> LayerCall:
    """Branches side by side in the channels of ``shape``."""
    values = shape.values
    return LayerCall("concat", shape, shape, bytes_moved=moved(values, values))


def _effective_stride(stride: int, size: int, strided: bool) -> int:
    """Strides beyond the map all pick the one first output."""
    if not strided or stride == 1:
        return 1
    return stride if stride < size else size


def _over_space(shape: Shape, stride: int, channels: int) -> Shape:
    frames, height, width, in_channels = shape
    if stride == 1 and channels == in_channels:
        return shape
    return _make_tuple(Shape, (frames, -(-height // stride), -(-width // stride), channels))


def _over_time(shape: Shape, stride: int, channels: int) -> Shape:
    frames, height, width, in_channels = shape
    if stride == 1 and channels == in_channels:
        return shape
    return _make_tuple(Shape, (-(-frames // stride), height, width, channels))


_make_tuple = tuple.__new__
"""A walk spends a tenth of its time in making shapes; this is four times as fast as calling the class."""


def _with_norm(
    kind: str,
    in_shape: Shape,
    out: Shape,
    weights: int,
    activation: str,
    kernel: int,
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
        stride,
        kernel_frames,
        stride_frames,
        activation=activation,
        params=params,
        macs=weights * positions,
        bytes_moved=(values + params) * BYTES_PER_VALUE,
    )


def _spatial_conv(layer: SpatialConv, shape: Shape, strided: bool) -> LayerCall:
    _, height, _, channels = shape
    filters, kernel = layer.filters, layer.kernel
    stride = _effective_stride(layer.stride, height, strided)
    out = _over_space(shape, stride, filters)
    weights = kernel * kernel * channels * filters
    return _with_norm("spatial_conv", shape, out, weights, layer.activation, kernel, stride)


def _depthwise_conv(layer: DepthwiseConv, shape: Shape, strided: bool) -> LayerCall:
    _, height, _, channels = shape
    kernel = layer.kernel
    stride = _effective_stride(layer.stride, height, strided)
    out = _over_space(shape, stride, channels)
    weights = kernel * kernel * channels
    return _with_norm("depthwise_conv", shape, out, weights, layer.activation, kernel, stride)


def _temporal_conv(layer: TemporalConv, shape: Shape, strided: bool) -> LayerCall | None:
    frames, _, _, channels = shape
    if frames == 1:
        return None
    filters, kernel = layer.filters, layer.kernel
    stride = _effective_stride(layer.stride, frames, strided)
    if kernel == 1 and stride == 1:
        return layer_call(SpatialConv(filters, activation=layer.activation), shape)
    out = _over_time(shape, stride, filters)
    weights = kernel * channels * filters
    return _with_norm("temporal_conv", shape, out, weights, layer.activation, kernel, stride)


def _temporal_depthwise(layer: TemporalDepthwiseConv, shape: Shape, strided: bool) -> LayerCall | None:
    if shape.frames == 1:
        return None
    stride = _effective_stride(layer.stride, shape.frames, strided)
    if layer.kernel == 1 and stride == 1:
        return layer_call(DepthwiseConv(1, activation=layer.activation), shape)
    out = _over_time(shape, stride, shape.channels)
    weights = layer.kernel * shape.channels
    return _with_norm("temporal_depthwise_conv", shape, out, weights, layer.activation, layer.kernel, stride)


def _conv3d(layer: Conv3d, shape: Shape, strided: bool) -> LayerCall:
    weights = layer.kernel_frames * layer.kernel**2 * shape.channels * layer.filters
    return _over_space_and_time("conv3d", layer, layer.filters, weights, shape, strided)


def _depthwise_conv3d(layer: DepthwiseConv3d, shape: Shape, strided: bool) -> LayerCall:
    weights = layer.kernel_frames * layer.kernel**2 * shape.channels
    return _over_space_and_time("depthwise_conv3d", layer, shape.channels, weights, shape, strided)


def _over_space_and_time(
    kind: str, layer: Conv3d | DepthwiseConv3d, channels: int, weights: int, shape: Shape, strided: bool
) -> LayerCall:
    stride = _effective_stride(layer.stride, shape.height, strided)
    stride_frames = _effective_stride(layer.stride_frames, shape.frames, strided)
    out = _over_time(_over_space(shape, stride, channels), stride_frames, channels)
    return _with_norm(
        kind,
        shape,
        out,
        weights,
        layer.activation,
        layer.kernel,
        stride,
        layer.kernel_frames,
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
    _, height, _, channels = shape
    if height == 1:
        return None
    stride = _effective_stride(layer.stride, height, strided)
    if layer.kernel == 1 and stride == 1:
        return None
    return _pool(layer, "spatial_pool", shape, _over_space(shape, stride, channels), height, stride)


def _temporal_pool(layer: TemporalPool, shape: Shape, strided: bool) -> LayerCall | None:
    frames, _, _, channels = shape
    if frames == 1:
        return None
    stride = _effective_stride(layer.stride, frames, strided)
    if layer.kernel == 1 and stride == 1:
        return None
    return _pool(layer, "temporal_pool", shape, _over_time(shape, stride, channels), frames, stride)


def _pool(
    layer: SpatialPool | TemporalPool, kind: str, shape: Shape, out: Shape, size: int, stride: int
) -> LayerCall:
    # A single window that covers the whole map is the global pool, however far it reaches beyond.
    kernel = layer.kernel
    covers_all = stride == size and kernel >= size
    return LayerCall(
        kind,
        shape,
        out,
        size if covers_all else kernel,
        stride,
        mode="max" if kernel == 1 else layer.mode,
        bytes_moved=moved(shape.values, out.values),
    )


def _temporal_shift(layer: TemporalShift, shape: Shape, strided: bool) -> LayerCall | None:
    shifted = int(shape.channels * layer.share)
    if shape.frames == 1 or shifted == 0:
        return None
    return LayerCall(
        "temporal_shift", shape, shape, hidden=shifted, bytes_moved=moved(shape.values, shape.values)
    )


def _non_local(layer: NonLocal, shape: Shape, strided: bool) -> LayerCall:
    frames, height, width, channels = shape
    positions, inner = frames * height * width, layer.bottleneck
    weights = 4 * channels * inner
    params = weights + 2 * channels
    values, inner_values = positions * channels, 5 * positions * inner
    return LayerCall(
        "non_local",
        shape,
        shape,
        hidden=inner,
        params=params,
        macs=positions * (weights + 2 * inner * inner),
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
    NonLocal: _non_local,
    ContextGate: _context_gate,
    SqueezeExcite: _squeeze_excite,
}
