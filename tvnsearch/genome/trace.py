"""Walk a genome: every layer call that is executed, in order, with the shapes between them.

This walk is the only place that knows what a written genome *does*: the builder makes one module a call, the
latency tables hold one row a call, and a genome's identity is the sequence of its calls. An activation ends
the call before it where that call can, and ReLU is dropped on what is already non-negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.calls import (
    LayerCall,
    Shape,
    activation_call,
    add_call,
    concat_call,
    head_call,
)
from tvnsearch.genome.genome import Block, Genome
from tvnsearch.genome.kinds import END_WITH_ACTIVATION, KEEP_NON_NEGATIVE, KINDS, NON_NEGATIVE, OVER_TIME
from tvnsearch.genome.layer_calls import CALLS
from tvnsearch.genome.layers import (
    Activate,
    Activation,
    Branches,
    Layer,
    SpatialConv,
)
from tvnsearch.genome.lowering import LOWERINGS

_encode_lines = msgspec.json.Encoder().encode_lines

COUNTS_END = 2**64
"""Counts beyond 64 bits cannot be written down."""

MOMENTS_IN_TIME_CLASSES = 339
"""The number of classes that the paper's networks were counted with."""


class Parallel(Struct, frozen=True, gc=False, array_like=True):
    """Branches that start from the same features, and the call that joins their ends.

    An empty branch is a shortcut; in a sum it comes last.
    """

    branches: tuple[tuple[Node, ...], ...]
    join: LayerCall


Node: TypeAlias = LayerCall | Parallel


class RepeatTrace(Struct, gc=False, eq=False):
    """What one repeat of a block executes: its nodes, and all their calls in the order of execution."""

    nodes: tuple[Node, ...]
    calls: tuple[LayerCall, ...]
    out_shape: Shape
    non_negative: bool
    params: int
    macs: int
    bytes_moved: int
    _key: bytes = b""

    @property
    def key(self) -> bytes:
        """The work as bytes, one line a call; put together when it is first asked for."""
        if not self._key:
            self._key = _encode_lines(_work(self.nodes))
        return self._key


class BlockTrace(Struct, gc=False, eq=False):
    """What a block executes on one input shape, and the sums over it."""

    repeats: tuple[RepeatTrace, ...]
    out_shape: Shape
    non_negative: bool
    params: int
    macs: int
    bytes_moved: int
    _key: bytes = b""

    @property
    def key(self) -> bytes:
        """The work as bytes: equal keys on equal input are equal work, in every process and for ever."""
        if not self._key:
            self._key = b"".join([repeat.key for repeat in self.repeats])
        return self._key


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
        calls = [call for block in self.blocks for repeat in block.repeats for call in repeat.calls]
        return (*calls, self.head)

    def named_calls(self) -> Iterator[tuple[str, LayerCall]]:
        """Each call with its place, as in ``block2.repeat1.3.temporal_pool`` (all counted from 1)."""
        for block_number, block in enumerate(self.blocks, 1):
            for repeat_number, repeat in enumerate(block.repeats, 1):
                for call_number, call in enumerate(repeat.calls, 1):
                    yield f"block{block_number}.repeat{repeat_number}.{call_number}.{call.type}", call
        yield "head", self.head


def trace(genome: Genome, classes: int = MOMENTS_IN_TIME_CLASSES) -> Trace:
    """Walk ``genome`` with a head of ``classes`` outputs."""
    blocks = trace_blocks(genome)
    params = macs = bytes_moved = 0
    for block in blocks:
        params += block.params
        macs += block.macs
        bytes_moved += block.bytes_moved
    head = head_call(blocks[-1].out_shape, classes, genome.head)
    return Trace(
        in_shape=in_shape(genome),
        blocks=tuple(blocks),
        head=head,
        params=params + head.params,
        macs=macs + head.macs,
        bytes_moved=bytes_moved + head.bytes_moved,
    )


def trace_blocks(genome: Genome) -> list[BlockTrace]:
    """Walk ``genome`` up to its head."""
    shape, non_negative = in_shape(genome), False
    blocks = []
    for block in genome.blocks:
        walked = trace_block(block, shape, non_negative)
        blocks.append(walked)
        shape, non_negative = walked.out_shape, walked.non_negative
    return blocks


def in_shape(genome: Genome) -> Shape:
    """The shape of the clips that ``genome`` looks at."""
    spec = genome.input
    return Shape(spec.frames, spec.height, spec.width, 3)


@lru_cache(maxsize=16384)
def trace_block(block: Block, in_shape: Shape, non_negative: bool) -> BlockTrace:
    """Walk one block from ``in_shape``; ``non_negative`` tells whether its input is known to be >= 0."""
    last = _trace_repeat(block, in_shape, non_negative, strided=True)
    repeats: tuple[RepeatTrace, ...] = (last,)
    params, macs, bytes_moved = last.params, last.macs, last.bytes_moved
    # A branch that a stride keeps from being joined in the first repeat is joined in the others.
    has_branches = block.repeats > 1 and Branches in [type(layer) for layer in block.layers]
    while (left := block.repeats - len(repeats)) > 0:
        alike = 1
        is_like_the_next = len(repeats) > 1 or not has_branches
        if is_like_the_next and last.out_shape == in_shape and last.non_negative == non_negative:
            # What comes out as it went in was not strided either: the next repeat does the same once more.
            alike = left
        else:
            in_shape, non_negative = last.out_shape, last.non_negative
            last = _trace_repeat(block, in_shape, non_negative, strided=False)
        repeats += (last,) * alike
        params += last.params * alike
        macs += last.macs * alike
        bytes_moved += last.bytes_moved * alike
    return BlockTrace(repeats, last.out_shape, last.non_negative, params, macs, bytes_moved)


def _trace_repeat(block: Block, in_shape: Shape, non_negative: bool, strided: bool) -> RepeatTrace:
    walk = _Walk(in_shape, non_negative)
    walk.along(block.layers, strided)
    if block.residual != "none" and walk.nodes:
        walk.add(_shortcut(block, walk, in_shape, non_negative))
    if block.activation != "none":
        walk.activate(block.activation)
    params = macs = bytes_moved = 0
    for call in walk.calls:
        params += call.params
        macs += call.macs
        bytes_moved += call.bytes_moved
    if macs >= COUNTS_END or bytes_moved >= COUNTS_END:
        raise UserError(
            "expected blocks of fewer than 2^64 MACs and bytes each, but this network has larger ones"
        )
    nodes, calls = tuple(walk.nodes), tuple(walk.calls)
    return RepeatTrace(nodes, calls, walk.shape, walk.non_negative, params, macs, bytes_moved)


def _work(nodes: Iterable[Node]) -> list[object]:
    """What tells the work of ``nodes`` on a known input from other work.

    An activation counts by itself, whether a call ends with it or it comes alone behind the end of a block.
    """
    work: list[object] = []
    for node in nodes:
        if isinstance(node, Parallel):
            work.append([_work(branch) for branch in node.branches])
            node = node.join  # noqa: PLW2901 - what is left of the node
        kind, activation = node.type, node.activation
        if kind != "activation":
            inner = "" if kind in END_WITH_ACTIVATION else activation
            what = (
                kind,
                node.kernel,
                node.stride,
                node.kernel_frames,
                node.stride_frames,
                node.hidden,
                node.mode,
                node.out_shape[3],
                inner,
            )
            is_square = node.kernel_width == node.kernel or kind in OVER_TIME
            work.append(what if is_square else (*what, node.kernel_width))
        if kind in END_WITH_ACTIVATION and activation != "none":
            work.append(activation)
    return work


class _Walk:
    """The nodes of a walk so far, all their calls in order, and what comes out of the last of them."""

    __slots__ = ("calls", "nodes", "non_negative", "shape")

    def __init__(self, shape: Shape, non_negative: bool) -> None:
        self.nodes: list[Node] = []
        self.calls: list[LayerCall] = []
        self.shape = shape
        self.non_negative = non_negative

    def along(self, layers: Iterable[Layer], strided: bool) -> None:
        """Go on through ``layers``."""
        for layer in layers:
            lower, make_call, sets_sign = _RULES[type(layer)]
            if lower is not None and (simpler := lower(layer, self.shape)) is not None:
                self.along(simpler, strided)
            elif make_call is not None:
                call = make_call(layer, self.shape, strided)
                if call is not None:
                    self.nodes.append(call)
                    self.calls.append(call)
                    self.shape = call.out_shape
                    if sets_sign:
                        self.non_negative = call.activation in NON_NEGATIVE
            elif isinstance(layer, Branches):
                ends = [_Walk(self.shape, self.non_negative) for _ in layer.branches]
                for end, branch in zip(ends, layer.branches, strict=True):
                    end.along(branch, strided)
                self.join(layer.join, ends)
            elif isinstance(layer, Activate):
                self.activate(layer.function)

    def activate(self, function: Activation) -> None:
        """Apply an activation, at the end of the last call if that has none."""
        if function == "none" or (function == "relu" and self.non_negative):
            return
        last = self.calls[-1] if self.calls else None
        if (
            function == "relu6"
            and last is not None
            and last.activation == "relu6"
            and last.type in END_WITH_ACTIVATION
        ):
            return
        if last is not None and last.activation == "none" and last.type in END_WITH_ACTIVATION:
            ended = replace(last, activation=function)
            node = self.nodes[-1]
            self.nodes[-1] = Parallel(node.branches, ended) if isinstance(node, Parallel) else ended
            self.calls[-1] = ended
        else:
            call = activation_call(function, self.shape)
            self.nodes.append(call)
            self.calls.append(call)
        kept = self.non_negative and function in KEEP_NON_NEGATIVE
        self.non_negative = kept or function in NON_NEGATIVE

    def join(self, how: str, ends: Sequence[_Walk]) -> None:
        """Go on from where branches end, as :class:`~tvnsearch.genome.layers.Branches` says."""
        first = ends[0]
        if how == "sum":
            first.add(ends[1])
            joined = [first]
        else:
            joined = [end for end in ends if end.shape[:3] == first.shape[:3]]
        if len(joined) == 1:
            self.nodes += first.nodes
            self.calls += first.calls
            self.shape, self.non_negative = first.shape, first.non_negative
            return
        call = concat_call(first.shape._replace(channels=sum(end.shape.channels for end in joined)))
        self.nodes.append(Parallel(tuple(tuple(end.nodes) for end in joined), call))
        for end in joined:
            self.calls += end.calls
        self.calls.append(call)
        self.shape = call.out_shape
        self.non_negative = all(end.non_negative for end in joined)

    def add(self, other: _Walk) -> None:
        """Add what comes out of ``other``, which began where this walk began, if the shapes allow it."""
        if self.shape != other.shape or not (self.nodes or other.nodes):
            return
        call = add_call(self.shape)
        branches = (tuple(self.nodes), tuple(other.nodes))
        self.nodes = [Parallel(branches if self.nodes else branches[::-1], call)]
        self.calls += (*other.calls, call)
        self.non_negative = self.non_negative and other.non_negative


def _rule(layer: type[Layer]) -> tuple[Any, Any, bool]:
    kind = KINDS.get(str(layer.__struct_config__.tag))
    return LOWERINGS.get(layer), CALLS.get(layer), kind is not None and not kind.keeps_sign


_RULES = {layer: _rule(layer) for layer in get_args(Layer)}
"""How a layer of each type is lowered, what it calls, and whether that decides the sign of what comes out."""


def _shortcut(block: Block, body: _Walk, in_shape: Shape, non_negative: bool) -> _Walk:
    walk = _Walk(in_shape, non_negative)
    if block.residual == "projection" and in_shape.frames == body.shape.frames:
        walk.along((SpatialConv(body.shape.channels, stride=_spatial_stride(body.nodes)),), strided=True)
    return walk


def _spatial_stride(nodes: Iterable[Node]) -> int:
    """The stride of a path over pixels; that of its first branch where it has branches."""
    stride = 1
    for node in nodes:
        if isinstance(node, Parallel):
            stride *= _spatial_stride(node.branches[0])
        elif node.type not in OVER_TIME:
            stride *= node.stride
    return stride
