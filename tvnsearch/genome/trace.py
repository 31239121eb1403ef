"""Walk a genome: every layer call that is executed, with shapes, MACs, parameters and bytes moved.

This walk is the only place that knows what a written genome *does*: the builder makes one module a call, the
latency tables hold one row a call, and a genome's identity is the sequence of its calls. What does nothing is
not a call: pools of kernel 1 without stride, spatial pools on one pixel, temporal layers on a single frame,
ReLU on what is already non-negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from tvnsearch.genome.genome import Block, Genome
from tvnsearch.genome.layers import (
    ContextGate,
    DepthwiseConv,
    Layer,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalPool,
)

MOMENTS_IN_TIME_CLASSES = 339
"""The number of classes that the paper's networks were counted with."""

BYTES_PER_VALUE = 4
MIN_SQUEEZE_WIDTH = 8


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
        return self.frames * self.height * self.width * self.channels


class LayerCall(Struct, frozen=True, gc=False):
    """One layer at its place in a network: the row of a latency table.

    ``type`` is a layer's tag, or ``residual_add``, ``activation``, ``head``. ``hidden`` is the inner width of
    a non-local block or a squeeze, ``mode`` the kind of pooling or of shortcut. A ``residual_add`` has the
    shape of the repeat's input as ``in_shape``. ``macs`` counts convolutions and linear layers;
    ``bytes_moved`` counts each float32 read and written once per pass over it, weights included.
    """

    type: str
    in_shape: Shape
    out_shape: Shape
    kernel: int = 1
    stride: int = 1
    hidden: int = 0
    mode: str = ""
    activation: str = "none"
    params: int = 0
    macs: int = 0
    bytes_moved: int = 0

    @property
    def key(self) -> str:
        """What is executed, short of the input shape: equal keys at equal input shapes do equal work."""
        return (
            f"{self.type}:k{self.kernel}:s{self.stride}:c{self.out_shape.channels}"
            f":h{self.hidden}:{self.mode}:{self.activation}"
        )


class RepeatTrace(Struct, frozen=True, gc=False):
    """The calls of one repeat of a block; with a shortcut, the last of them is the ``residual_add``."""

    calls: tuple[LayerCall, ...]

    @property
    def has_shortcut(self) -> bool:
        """Whether the repeat's input is kept and added to its output."""
        return bool(self.calls) and self.calls[-1].type == "residual_add"


class BlockTrace(Struct, frozen=True, gc=False):
    """What a block executes on one input shape, and the sums over it."""

    repeats: tuple[RepeatTrace, ...]
    out_shape: Shape
    non_negative: bool
    params: int
    macs: int
    bytes_moved: int
    key: str


class Trace(Struct, frozen=True, gc=False):
    """Everything that a genome executes, and the sums over it, for one clip."""

    in_shape: Shape
    blocks: tuple[BlockTrace, ...]
    head: LayerCall
    params: int
    macs: int
    bytes_moved: int

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """All layer calls in the order of execution, the head last."""
        return tuple(call for _, call in self.named_calls())

    def named_calls(self) -> Iterator[tuple[str, LayerCall]]:
        """Each call with its place, as in ``block2.repeat1.3.temporal_pool`` (all counted from 1)."""
        for block_number, block in enumerate(self.blocks, 1):
            for repeat_number, repeat in enumerate(block.repeats, 1):
                for call_number, call in enumerate(repeat.calls, 1):
                    yield f"block{block_number}.repeat{repeat_number}.{call_number}.{call.type}", call
        yield "head", self.head


def trace(genome: Genome, classes: int = MOMENTS_IN_TIME_CLASSES) -> Trace:
    """Walk ``genome`` with a head of ``classes`` outputs."""
    resolution = genome.input.resolution
    in_shape = shape = Shape(genome.input.frames, resolution, resolution, 3)
    non_negative = False
    blocks = []
    for block in genome.blocks:
        block_trace = trace_block(block, shape, non_negative)
        blocks.append(block_trace)
        shape, non_negative = block_trace.out_shape, block_trace.non_negative
    head = _head_call(shape, classes)
    return Trace(
        in_shape=in_shape,
        blocks=tuple(blocks),
        head=head,
        params=sum(block.params for block in blocks) + head.params,
        macs=sum(block.macs for block in blocks) + head.macs,
        bytes_moved=sum(block.bytes_moved for block in blocks) + head.bytes_moved,
    )


@lru_cache(maxsize=65536)
def trace_block(block: Block, in_shape: Shape, non_negative: bool) -> BlockTrace:
    """Walk one block from ``in_shape``; ``non_negative`` tells whether its input is known to be >= 0."""
    repeats: list[RepeatTrace] = []
    shape = in_shape
    for number in range(block.repeats):
        calls, shape, non_negative = _trace_repeat(block, shape, non_negative, strided=number == 0)
        repeats.append(RepeatTrace(calls))
    all_calls = [call for repeat in repeats for call in repeat.calls]
    return BlockTrace(
        repeats=tuple(repeats),
        out_shape=shape,
        non_negative=non_negative,
        params=sum(call.params for call in all_calls),
        macs=sum(call.macs for call in all_calls),
        bytes_moved=sum(call.bytes_moved for call in all_calls),
        key=" ".join(_repeat_key(repeat) for repeat in repeats if repeat.calls),
    )


def _repeat_key(repeat: RepeatTrace) -> str:
    keys = " ".join(call.key for call in repeat.calls)
    return f"( {keys} )" if repeat.has_shortcut else keys


def _trace_repeat(
    block: Block, in_shape: Shape, non_negative: bool, strided: bool
) -> tuple[tuple[LayerCall, ...], Shape, bool]:
    calls: list[LayerCall] = []
    shape = in_shape
    spatial_stride = 1
    sign_in = non_negative
    for layer in block.layers:
        call = layer_call(layer, shape, strided)
        if call is None:
            continue
        calls.append(call)
        shape = call.out_shape
        if call.type not in _STRIDED_OVER_TIME:
            spatial_stride *= call.stride
        if call.type in _SIGNED_UNLESS_RELU:
            non_negative = call.activation == "relu"
    shortcut = _residual_add(block, in_shape, shape, spatial_stride) if calls else None
    if shortcut is not None:
        calls.append(shortcut)
        non_negative = shortcut.activation == "relu" or (
            shortcut.mode == "identity" and non_negative and sign_in and shortcut.activation == "none"
        )
    elif block.activation == "hswish" or (block.activation == "relu" and not non_negative):
        calls.append(
            LayerCall(
                "activation",
                shape,
                shape,
                activation=block.activation,
                bytes_moved=2 * shape.values * BYTES_PER_VALUE,
            )
        )
        non_negative = block.activation == "relu"
    return tuple(calls), shape, non_negative


_STRIDED_OVER_TIME = frozenset({"temporal_conv", "temporal_pool"})
_SIGNED_UNLESS_RELU = frozenset({"spatial_conv", "depthwise_conv", "temporal_conv", "non_local"})


@lru_cache(maxsize=262144)
def layer_call(  # noqa: PLR0911 - one arm a layer type
    layer: Layer, in_shape: Shape, strided: bool = True
) -> LayerCall | None:
    """What ``layer`` executes on ``in_shape``, or None where it does nothing; unstrided in later repeats."""
    match layer:
        case SpatialConv():
            return _conv_call(layer, in_shape, strided)
        case DepthwiseConv():
            return _depthwise_call(layer, in_shape, strided)
        case TemporalConv():
            return _temporal_conv_call(layer, in_shape, strided)
        case SpatialPool():
            return _spatial_pool_call(layer, in_shape, strided)
        case TemporalPool():
            return _temporal_pool_call(layer, in_shape, strided)
        case NonLocal():
            return _non_local_call(layer, in_shape)
        case ContextGate():
            return _context_gate_call(in_shape)
        case SqueezeExcite():
            return _squeeze_excite_call(layer, in_shape)


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)


def _effective_stride(stride: int, size: int, strided: bool) -> int:
    """Strides beyond the map all pick the one first output."""
    return min(stride, size) if strided else 1


def _strided(shape: Shape, stride: int, channels: int) -> Shape:
    return Shape(shape.frames, _ceil_div(shape.height, stride), _ceil_div(shape.width, stride), channels)


def _moved(in_values: int, out_values: int, params: int = 0) -> int:
    return (in_values + out_values + params) * BYTES_PER_VALUE


def _conv_call(layer: SpatialConv, shape: Shape, strided: bool) -> LayerCall:
    stride = _effective_stride(layer.stride, shape.height, strided)
    out = _strided(shape, stride, layer.filters)
    weights = layer.kernel**2 * shape.channels * layer.filters
    params = weights + 2 * layer.filters
    return LayerCall(
        "spatial_conv",
        shape,
        out,
        kernel=layer.kernel,
        stride=stride,
        activation=layer.activation,
        params=params,
        macs=weights * out.positions,
        bytes_moved=_moved(shape.values, out.values, params),
    )


def _depthwise_call(layer: DepthwiseConv, shape: Shape, strided: bool) -> LayerCall:
    stride = _effective_stride(layer.stride, shape.height, strided)
    out = _strided(shape, stride, shape.channels)
    weights = layer.kernel**2 * shape.channels
    params = weights + 2 * shape.channels
    return LayerCall(
        "depthwise_conv",
        shape,
        out,
        kernel=layer.kernel,
        stride=stride,
        activation=layer.activation,
        params=params,
        macs=weights * out.positions,
        bytes_moved=_moved(shape.values, out.values, params),
    )


def _temporal_conv_call(layer: TemporalConv, shape: Shape, strided: bool) -> LayerCall | None:
    if shape.frames == 1:
        return None
    stride = _effective_stride(layer.stride, shape.frames, strided)
    if layer.kernel == 1 and stride == 1:
        pointwise = SpatialConv(layer.filters, activation=layer.activation)
        return layer_call(pointwise, shape)
    out = Shape(_ceil_div(shape.frames, stride), shape.height, shape.width, layer.filters)
    weights = layer.kernel * shape.channels * layer.filters
    params = weights + 2 * layer.filters
    return LayerCall(
        "temporal_conv",
        shape,
        out,
        kernel=layer.kernel,
        stride=stride,
        activation=layer.activation,
        params=params,
        macs=weights * out.positions,
        bytes_moved=_moved(shape.values, out.values, params),
    )


def _spatial_pool_call(layer: SpatialPool, shape: Shape, strided: bool) -> LayerCall | None:
    stride = _effective_stride(layer.stride, shape.height, strided)
    if shape.height == 1 or (layer.kernel == 1 and stride == 1):
        return None
    out = _strided(shape, stride, shape.channels)
    return LayerCall(
        "spatial_pool",
        shape,
        out,
        kernel=layer.kernel,
        stride=stride,
        mode="max" if layer.kernel == 1 else layer.mode,
        bytes_moved=_moved(shape.values, out.values),
    )


def _temporal_pool_call(layer: TemporalPool, shape: Shape, strided: bool) -> LayerCall | None:
    stride = _effective_stride(layer.stride, shape.frames, strided)
    if shape.frames == 1 or (layer.kernel == 1 and stride == 1):
        return None
    out = Shape(_ceil_div(shape.frames, stride), shape.height, shape.width, shape.channels)
    return LayerCall(
        "temporal_pool",
        shape,
        out,
        kernel=layer.kernel,
        stride=stride,
        mode="max" if layer.kernel == 1 else layer.mode,
        bytes_moved=_moved(shape.values, out.values),
    )


def _non_local_call(layer: NonLocal, shape: Shape) -> LayerCall:
    inner, channels, positions = layer.bottleneck, shape.channels, shape.positions
    params = 4 * channels * inner + 2 * channels
    macs = positions * (4 * channels * inner + 2 * inner * inner)
    inner_values = 5 * positions * inner
    return LayerCall(
        "non_local",
        shape,
        shape,
        hidden=inner,
        params=params,
        macs=macs,
        bytes_moved=_moved(4 * shape.values + inner_values, shape.values + inner_values, params),
    )


def _context_gate_call(shape: Shape) -> LayerCall:
    params = shape.channels * shape.channels + shape.channels
    return LayerCall(
        "context_gate",
        shape,
        shape,
        params=params,
        macs=shape.channels * shape.channels,
        bytes_moved=_moved(2 * shape.values, shape.values, params),
    )


def _squeeze_excite_call(layer: SqueezeExcite, shape: Shape) -> LayerCall:
    hidden = max(int(shape.channels * layer.ratio), MIN_SQUEEZE_WIDTH)
    params = 2 * shape.channels * hidden + hidden + shape.channels
    return LayerCall(
        "squeeze_excite",
        shape,
        shape,
        hidden=hidden,
        params=params,
        macs=2 * shape.channels * hidden,
        bytes_moved=_moved(2 * shape.values, shape.values, params),
    )


def _residual_add(block: Block, in_shape: Shape, out_shape: Shape, stride: int) -> LayerCall | None:
    if block.residual == "identity" and in_shape == out_shape:
        return LayerCall(
            "residual_add",
            in_shape,
            out_shape,
            mode="identity",
            activation=block.activation,
            bytes_moved=_moved(2 * out_shape.values, out_shape.values),
        )
    if block.residual == "projection" and in_shape.frames == out_shape.frames:
        weights = in_shape.channels * out_shape.channels
        params = weights + 2 * out_shape.channels
        return LayerCall(
            "residual_add",
            in_shape,
            out_shape,
            stride=min(stride, in_shape.height),
            mode="projection",
            activation=block.activation,
            params=params,
            macs=weights * out_shape.positions,
            bytes_moved=_moved(in_shape.values + 2 * out_shape.values, 2 * out_shape.values, params),
        )
    return None


def _head_call(shape: Shape, classes: int) -> LayerCall:
    params = shape.channels * classes + classes
    return LayerCall(
        "head",
        shape,
        Shape(1, 1, 1, classes),
        params=params,
        macs=shape.channels * classes,
        bytes_moved=_moved(shape.values, classes, params),
    )
