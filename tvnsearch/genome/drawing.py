"""A genome in words: one line a block."""

from __future__ import annotations

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


def block_lines(genome: Genome) -> list[str]:
    """The input, then each block, then the head, one line each."""
    spec = genome.input
    first = (
        f"input    {spec.frames} frames of {spec.resolution}x{spec.resolution}, one in {spec.frame_stride}"
    )
    blocks = [f"block {number}  {_block(block)}" for number, block in enumerate(genome.blocks, 1)]
    return [first, *blocks, "head     average over time and space, dropout, linear"]


def _block(block: Block) -> str:
    layers = " > ".join(_layer(layer) for layer in block.layers)
    ends = [
        "" if block.residual == "none" else f"+ {block.residual} residual",
        "" if block.activation == "none" else block.activation,
    ]
    return " ".join(part for part in (f"{block.repeats} x [ {layers} ]", *ends) if part)


def _layer(layer: Layer) -> str:  # noqa: PLR0911 - one arm a layer type
    match layer:
        case SpatialConv(filters, kernel, stride, activation):
            return _joined(f"conv {kernel}x{kernel} {filters}", stride, activation)
        case DepthwiseConv(kernel, stride, activation):
            return _joined(f"depthwise {kernel}x{kernel}", stride, activation)
        case TemporalConv(filters, kernel, stride, activation):
            return _joined(f"temporal conv {kernel} {filters}", stride, activation)
        case SpatialPool(mode, kernel, stride):
            return _joined(f"{mode} pool {kernel}x{kernel}", stride)
        case TemporalPool(mode, kernel, stride):
            return _joined(f"temporal {mode} pool {kernel}", stride)
        case NonLocal(bottleneck):
            return f"non-local {bottleneck}"
        case ContextGate():
            return "context gate"
        case SqueezeExcite(ratio):
            return f"squeeze-excite {ratio:.3g}"


def _joined(text: str, stride: int, activation: str = "none") -> str:
    stride_text = f" /{stride}" if stride > 1 else ""
    return text + stride_text + ("" if activation == "none" else f" {activation}")
