"""A genome in words: one line a block."""

from __future__ import annotations

from tvnsearch.genome.genome import Block, Genome
from tvnsearch.genome.layers import (
    Activate,
    Branches,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv,
    DepthwiseConv3d,
    InvertedResidual,
    Layer,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalInvertedResidual,
    TemporalPool,
    TemporalShift,
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
    layers = _sequence(block.layers)
    ends = [
        "" if block.residual == "none" else f"+ {block.residual} residual",
        "" if block.activation == "none" else block.activation,
    ]
    return " ".join(part for part in (f"{block.repeats} x [ {layers} ]", *ends) if part)


def _layer(layer: Layer) -> str:  # noqa: PLR0911, PLR0912 - one arm a layer type
    match layer:
        case SpatialConv(filters, kernel, stride, activation):
            return _joined(f"conv {kernel}x{kernel} {filters}", stride, activation)
        case DepthwiseConv(kernel, stride, activation):
            return _joined(f"depthwise {kernel}x{kernel}", stride, activation)
        case TemporalConv(filters, kernel, stride, activation):
            return _joined(f"temporal conv {kernel} {filters}", stride, activation)
        case TemporalDepthwiseConv(kernel, stride, activation):
            return _joined(f"temporal depthwise {kernel}", stride, activation)
        case Conv3d(filters, kernel, kernel_frames, stride, stride_frames, activation):
            text = f"conv {kernel_frames}x{kernel}x{kernel} {filters}"
            return _joined(text, stride, activation, stride_frames)
        case DepthwiseConv3d(kernel, kernel_frames, stride, stride_frames, activation):
            text = f"depthwise {kernel_frames}x{kernel}x{kernel}"
            return _joined(text, stride, activation, stride_frames)
        case InvertedResidual(filters, expansion, kernel, stride, activation):
            text = f"inverted residual {kernel}x{kernel} x{expansion:g} {filters}"
            return _joined(text, stride, activation)
        case TemporalInvertedResidual(filters, expansion, kernel, stride, activation):
            text = f"temporal inverted residual {kernel} x{expansion:g} {filters}"
            return _joined(text, stride, activation)
        case Dense(filters, activation):
            return _joined(f"dense {filters}", activation=activation)
        case SpatialPool(mode, kernel, stride):
            return _joined(f"{mode} pool {kernel}x{kernel}", stride)
        case TemporalPool(mode, kernel, stride):
            return _joined(f"temporal {mode} pool {kernel}", stride)
        case TemporalShift(share):
            return f"temporal shift {share:.3g}"
        case NonLocal(bottleneck):
            return f"non-local {bottleneck}"
        case ContextGate():
            return "context gate"
        case SqueezeExcite(ratio):
            return f"squeeze-excite {ratio:.3g}"
        case Activate(function):
            return function
        case Branches(join, branches):
            sign = " + " if join == "sum" else " | "
            return f"( {sign.join(_sequence(branch) or 'input' for branch in branches)} )"


def _sequence(layers: tuple[Layer, ...]) -> str:
    return " > ".join(_layer(layer) for layer in layers)


def _joined(text: str, stride: int = 1, activation: str = "none", stride_frames: int = 1) -> str:
    stride_text = f" /{stride}" if stride > 1 else ""
    if stride_frames > 1:
        stride_text = f" /{stride_frames}x{stride}"
    return text + stride_text + ("" if activation == "none" else f" {activation}")
