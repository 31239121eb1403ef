"""The smallest genomes of a search space, and which of its ranges keeps them from being smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from tvnsearch.genome.genome import Block, Genome, InputSpec
from tvnsearch.genome.layers import DRAWN_LAYERS, Layer
from tvnsearch.genome.sampling import domain_of, drawn_parameters, with_affordable_attention
from tvnsearch.genome.space import IntRange, SearchSpace

Costs = Callable[[Sequence[Genome]], list[float]]
"""What genomes cost, in their order."""

RANGES = (
    "resolution",
    "frames",
    "blocks",
    "repeats",
    "layers",
    "kernel",
    "filters",
    "bottleneck",
    "squeeze_ratio",
    "expansion",
)
"""The ranges of a space whose lower ends make networks small."""


def smallest_genomes(space: SearchSpace) -> list[Genome]:
    """For each layer type, the genome that has as little of it as the space allows, and nothing else."""
    frames = space.frames.min
    height, width = space.input.with_short_side(space.resolution.min)
    spec = InputSpec(height, width, frames, space.frame_strides(frames).min)
    genomes = []
    for layer_type in dict.fromkeys(space.layer_types):
        block = Block(
            layers=(_smallest_layer(layer_type, space),) * space.layers.min,
            repeats=space.repeats.min,
            residual=space.residuals[0],
            activation=space.activations[0],
        )
        smallest = Genome(spec, (block,) * space.blocks.min, space.head)
        genomes.append(with_affordable_attention(smallest))
    return genomes


def binding_range(space: SearchSpace, costs: Costs) -> str | None:
    """The range whose lower end, halved, makes the cheapest network cheaper than any other's would.

    None where none does, and all that is left is the head.
    """
    cheapest = min(costs(smallest_genomes(space)))
    binding = None
    for name in RANGES:
        relaxed = min(costs(smallest_genomes(_halved(space, name))))
        if relaxed < cheapest:
            cheapest, binding = relaxed, name
    return binding


def _smallest_layer(layer_type: str, space: SearchSpace) -> Layer:
    layer_class = DRAWN_LAYERS[layer_type]
    values: dict[str, Any] = {name: _cheapest(name, space) for name in drawn_parameters(layer_class)}
    layer: Layer = layer_class(**values)
    return layer


def _cheapest(parameter: str, space: SearchSpace) -> int | float | str:
    """The value that leaves the least to do: the largest stride, the least of anything else."""
    domain = domain_of(parameter, space)
    if isinstance(domain, tuple):
        choice: str = domain[0]
        return choice
    if isinstance(domain, IntRange) and parameter in ("stride", "stride_frames"):
        return domain.max - (domain.max - domain.min) % domain.step
    return domain.min


def _halved(space: SearchSpace, name: str) -> SearchSpace:
    end = getattr(space, name).min
    halved = end / 2 if isinstance(end, float) else max(1, end // 2)
    if name == "expansion":
        halved = max(1.0, halved)
    return replace(space, **{name: replace(getattr(space, name), min=halved)})
