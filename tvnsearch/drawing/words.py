"""A genome in words: one line a block."""

from __future__ import annotations

from tvnsearch.drawing.labels import label_of
from tvnsearch.genome.genome import Block, Genome, Head
from tvnsearch.genome.layers import Activate, Branches, Layer

HEADS: dict[Head, str] = {
    "mean": "average over time and space, dropout, linear",
    "per_frame": "average over space, dropout, linear on each frame, softmax over time",
}


def block_lines(genome: Genome) -> list[str]:
    """The input, then each block, then the head, one line each."""
    spec = genome.input
    first = f"input    {spec.frames} frames of {spec.width}x{spec.height}, one in {spec.frame_stride}"
    blocks = [f"block {number}  {_block(block)}" for number, block in enumerate(genome.blocks, 1)]
    return [first, *blocks, f"head     {HEADS[genome.head]}"]


def _block(block: Block) -> str:
    layers = _sequence(block.layers)
    ends = [
        "" if block.residual == "none" else f"+ {block.residual} residual",
        "" if block.activation == "none" else block.activation,
    ]
    return _joined(f"{block.repeats} x [ {layers} ]", *ends)


def _sequence(layers: tuple[Layer, ...]) -> str:
    return " > ".join(_layer(layer) for layer in layers)


def _layer(layer: Layer) -> str:
    match layer:
        case Activate(function):
            return function
        case Branches(join, branches):
            sign = " + " if join == "sum" else " | "
            return f"( {sign.join(_sequence(branch) or 'input' for branch in branches)} )"
        case _:
            label = label_of(layer)
            amounts = [amount for _, amount in label.amounts]
            activations = [name for name in (label.inner, label.activation) if name != "none"]
            return _joined(label.name, label.kernel, *amounts, label.stride, *activations)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
