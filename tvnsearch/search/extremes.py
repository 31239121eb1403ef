"""The smallest genomes of a search space, and which of its ranges keeps them from being smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tvnsearch.genome.genome import Block, Genome, InputSpec
from tvnsearch.genome.layers import Layer
from tvnsearch.genome.sampling import LAYERS
from tvnsearch.genome.space import LayerType, SearchSpace

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
    spec = InputSpec(space.resolution.min, frames, space.frame_strides(frames).min)
    genomes = []
    for layer_type in dict.fromkeys(space.layer_types):
        block = Block(
            layers=(_smallest_layer(layer_type, space),) * space.layers.min,
            repeats=space.repeats.min,
            residual=space.residuals[0],
            activation=space.activations[0],
        )
        genomes.append(Genome(spec, (block,) * space.blocks.min, space.head))
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


def _smallest_layer(layer_type: LayerType, space: SearchSpace) -> Layer:
    stride = space.stride.max - (space.stride.max - space.stride.min) % space.stride.step
    values = {
        "filters": space.filters.min,
        "kernel": space.kernel.min,
        "kernel_frames": space.kernel.min,
        "stride": stride,
        "stride_frames": stride,
        "activation": space.activations[0],
        "mode": space.pool_modes[0],
        "bottleneck": space.bottleneck.min,
        "ratio": space.squeeze_ratio.min,
        "expansion": space.expansion.min,
    }
    layer_class = LAYERS[layer_type]
    layer: Layer = layer_class(
        **{name: values[name] for name in layer_class.__struct_fields__ if name in values}  # type: ignore[arg-type]
    )
    return layer


def _halved(space: SearchSpace, name: str) -> SearchSpace:
    end = getattr(space, name).min
    halved = end / 2 if isinstance(end, float) else max(1, end // 2)
    return replace(space, **{name: replace(getattr(space, name), min=halved)})
