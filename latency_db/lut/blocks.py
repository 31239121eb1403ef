"""Find inverted residuals in what networks execute: other tools' tables have a row for the whole block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.genome import Block
from tvnsearch.genome.layers import Activation, Branches, DepthwiseConv, SpatialConv
from tvnsearch.genome.trace import Node, Parallel, RepeatTrace, Trace, trace_block

INVERTED_RESIDUAL = "inverted_residual"
"""The type of rows that stand for a block: ``hidden`` is its inner width, ``mode`` its shortcut if any."""

WITH_SHORTCUT = "shortcut"


def inverted_residuals(network: Trace) -> Iterator[tuple[LayerCall, range]]:
    """Each inverted residual as one call, and the positions of its calls in ``network.calls``.

    What is executed counts, not how it was written: a pointwise convolution that may widen, a depthwise one
    with the same activation, a linear pointwise one; and the sum with the input where there is one.
    """
    start = 0
    for block in network.blocks:
        for repeat in block.repeats:
            yield from _among(repeat.nodes, start)
            start += len(repeat.calls)


def inverted_residual(repeat: RepeatTrace) -> LayerCall | None:
    """The repeat as one call, if it is an inverted residual and nothing else."""
    found = list(_among(repeat.nodes, 0))
    return found[0][0] if len(found) == 1 and len(found[0][1]) == len(repeat.calls) else None


def inverted_residual_call(
    in_shape: Shape,
    filters: int,
    hidden: int,
    kernel: int,
    stride: int,
    activation: Activation,
    shortcut: bool,
) -> LayerCall | None:
    """The call that stands for such a block, ``hidden`` wide inside; None where the shapes allow none."""
    wider = () if hidden == in_shape.channels else (SpatialConv(hidden, activation=activation),)
    body = (*wider, DepthwiseConv(kernel, stride, activation), SpatialConv(filters))
    layers = (Branches("sum", (body, ())),) if shortcut else body
    call = inverted_residual(trace_block(Block(layers), in_shape, False).repeats[0])
    return call if call is not None and (call.mode == WITH_SHORTCUT) == shortcut else None


def _among(nodes: Sequence[Node], start: int) -> Iterator[tuple[LayerCall, range]]:
    index = 0
    while index < len(nodes):
        node = nodes[index]
        if isinstance(node, Parallel):
            yield from _with_shortcut(node, start)
            start += _length(node)
            index += 1
            continue
        taken = next((size for size in (3, 2) if _is_body(nodes[index : index + size], size)), 1)
        if taken > 1:
            yield _as_one(nodes[index : index + taken], ()), range(start, start + taken)
        start += taken
        index += taken


def _with_shortcut(node: Parallel, start: int) -> Iterator[tuple[LayerCall, range]]:
    body = node.branches[0]
    shortcut = len(node.branches) == 2 and not node.branches[1] and node.join.type == "add"
    if shortcut and node.join.activation == "none" and _is_body(body, len(body)):
        yield _as_one(body, (node.join,)), range(start, start + len(body) + 1)
        return
    for branch in node.branches:
        yield from _among(branch, start)
        start += sum(map(_length, branch))


def _is_body(nodes: Sequence[Node], size: int) -> bool:
    if len(nodes) != size or size not in (2, 3):
        return False
    *wider, depthwise, narrow = nodes
    return (
        isinstance(depthwise, LayerCall)
        and depthwise.type == "depthwise_conv"
        and _is_pointwise(narrow, "none")
        and all(_is_pointwise(node, depthwise.activation) and _widens(node) for node in wider)
    )


def _is_pointwise(node: Node, activation: str) -> bool:
    return (
        isinstance(node, LayerCall)
        and node.type == "spatial_conv"
        and node.kernel == node.kernel_width == 1
        and node.activation == activation
    )


def _widens(node: Node) -> bool:
    return isinstance(node, LayerCall) and node.in_shape.channels != node.out_shape.channels


def _as_one(body: Sequence[Node], joins: tuple[LayerCall, ...]) -> LayerCall:
    calls = [*(node for node in body if isinstance(node, LayerCall)), *joins]
    depthwise = calls[len(body) - 2]
    return LayerCall(
        INVERTED_RESIDUAL,
        calls[0].in_shape,
        calls[-1].out_shape,
        depthwise.kernel,
        depthwise.kernel_width,
        depthwise.stride,
        hidden=depthwise.in_shape.channels,
        mode=WITH_SHORTCUT if joins else "",
        activation=depthwise.activation,
        params=sum(call.params for call in calls),
        macs=sum(call.macs for call in calls),
        bytes_moved=sum(call.bytes_moved for call in calls),
    )


def _length(node: Node) -> int:
    if isinstance(node, LayerCall):
        return 1
    return 1 + sum(_length(inner) for branch in node.branches for inner in branch)
