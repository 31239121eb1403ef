"""A genome made larger or smaller: frames, resolution, width, depth, or all but frames at once.

The paper scales TVN-1 along each axis by multiplying (section A.4.2, tables 7 and 8) and along three at once
with EfficientNet's coefficients (table 9).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.deepening import deepened_repeats
from tvnsearch.genome.genome import Block, Genome, genome_from_json, genome_to_json
from tvnsearch.genome.layers import Activation, Branches, Layer
from tvnsearch.genome.space import FrameShape
from tvnsearch.genome.trace import trace_blocks

COMPOUND_DEPTH, COMPOUND_WIDTH, COMPOUND_RESOLUTION = 1.2, 1.1, 1.15
"""EfficientNet's coefficients (Tan and Le 2019, section 3.3): a step of one about doubles the MACs.

It multiplies them by 1.92 where every layer is a dense convolution and nothing is rounded.
"""

_WIDTHS = ("filters", "bottleneck")


def scaled(
    genome: Genome,
    frames: int | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    resolution: float = 1.0,
) -> Genome:
    """``genome`` with ``frames`` frames, and filters, repeats and pixels multiplied.

    Filters, bottlenecks and pixels of the short side are rounded to a multiple of 8, unless the factor is
    whole; frames keep their proportions.
    ``depth`` multiplies the repeats of all blocks together, which are rounded and shared out as
    :func:`~tvnsearch.genome.deepening.deepened_repeats` says. The frame stride stays.

    Raises:
        UserError: a factor is not positive, or the result is beyond what a genome can hold.
    """
    for name, factor in (("width", width), ("depth", depth), ("resolution", resolution)):
        if not (factor > 0 and math.isfinite(factor)):
            raise UserError(f"expected a positive factor for {name}, got {factor:g}")
    shape = FrameShape(width=genome.input.width, height=genome.input.height)
    height, pixels_wide = shape.with_short_side(_rounded(genome.input.short_side, resolution))
    spec = genome.input if frames is None else replace(genome.input, frames=frames)
    grown = Genome(
        replace(spec, height=height, width=pixels_wide),
        tuple(
            replace(_with_layers(block, lambda layer: _widened(layer, width)), repeats=repeats)
            for block, repeats in zip(genome.blocks, deepened_repeats(genome, depth), strict=True)
        ),
        genome.head,
    )
    return _checked(grown)


def compound_scaled(genome: Genome, steps: float) -> Genome:
    """``genome`` with depth, width and resolution times EfficientNet's coefficients to the power ``steps``.

    A step about doubles the MACs. Depthwise layers grow less, and sizes are rounded; docs/networks.md
    says what it comes to.

    Raises:
        UserError: the result is beyond what a genome can hold.
    """
    return scaled(
        genome,
        width=COMPOUND_WIDTH**steps,
        depth=COMPOUND_DEPTH**steps,
        resolution=COMPOUND_RESOLUTION**steps,
    )


def with_activation(genome: Genome, old: Activation, new: Activation) -> Genome:
    """``genome`` with every activation ``old`` replaced by ``new``, but not those inside gates."""

    def swapped(layer: Layer) -> Layer:
        names = [name for name in ("activation", "function") if getattr(layer, name, None) == old]
        return _replaced(layer, dict.fromkeys(names, new))

    blocks = [_with_layers(block, swapped) for block in genome.blocks]
    return Genome(
        genome.input,
        tuple(replace(block, activation=new) if block.activation == old else block for block in blocks),
        genome.head,
    )


def divisible_width(width: float) -> int:
    """``width`` rounded to a multiple of 8, but never below nine tenths of it (Sandler et al. 2018)."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8


def _rounded(size: int, factor: float) -> int:
    return round(size * factor) if float(factor).is_integer() else divisible_width(size * factor)


def _widened(layer: Layer, factor: float) -> Layer:
    if factor == 1:
        return layer
    return _replaced(
        layer,
        {name: _rounded(getattr(layer, name), factor) for name in _WIDTHS if hasattr(layer, name)},
    )


def _with_layers(block: Block, change: Callable[[Layer], Layer]) -> Block:
    return replace(block, layers=_changed(block.layers, change))


def _changed(layers: tuple[Layer, ...], change: Callable[[Layer], Layer]) -> tuple[Layer, ...]:
    return tuple(
        replace(layer, branches=tuple(_changed(branch, change) for branch in layer.branches))
        if isinstance(layer, Branches)
        else change(layer)
        for layer in layers
    )


def _replaced(layer: Layer, values: Mapping[str, Any]) -> Layer:
    return replace(layer, **values) if values else layer


def _checked(genome: Genome) -> Genome:
    try:
        grown = genome_from_json(genome_to_json(genome))
        trace_blocks(grown)
        return grown
    except UserError as error:
        raise UserError(
            f"expected factors that a genome can hold, but they make one that it cannot: {error}"
        ) from None
