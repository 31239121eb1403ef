"""Random genomes, blocks and layers from a search space."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

from tvnsearch.genome.genome import Block, Genome, InputSpec
from tvnsearch.genome.layers import (
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
from tvnsearch.genome.space import LayerType, SearchSpace

Choice = TypeVar("Choice")

LAYERS: dict[LayerType, type[Layer]] = {
    "spatial_conv": SpatialConv,
    "depthwise_conv": DepthwiseConv,
    "temporal_conv": TemporalConv,
    "spatial_pool": SpatialPool,
    "temporal_pool": TemporalPool,
    "non_local": NonLocal,
    "context_gate": ContextGate,
    "squeeze_excite": SqueezeExcite,
    "inverted_residual": InvertedResidual,
    "temporal_inverted_residual": TemporalInvertedResidual,
    "temporal_depthwise_conv": TemporalDepthwiseConv,
    "conv3d": Conv3d,
    "depthwise_conv3d": DepthwiseConv3d,
    "dense": Dense,
    "temporal_shift": TemporalShift,
}

_DRAWS: dict[str, Callable[[SearchSpace, random.Random], int | float | str]] = {
    "filters": lambda space, rng: space.filters.draw(rng),
    "kernel": lambda space, rng: space.kernel.draw(rng),
    "kernel_frames": lambda space, rng: space.kernel.draw(rng),
    "stride": lambda space, rng: space.stride.draw(rng),
    "stride_frames": lambda space, rng: space.stride.draw(rng),
    "activation": lambda space, rng: pick(space.activations, rng),
    "mode": lambda space, rng: pick(space.pool_modes, rng),
    "bottleneck": lambda space, rng: space.bottleneck.draw(rng),
    "ratio": lambda space, rng: space.squeeze_ratio.draw(rng),
    "expansion": lambda space, rng: space.expansion.draw(rng),
}
"""How each parameter of a layer is drawn; parameters that are not here keep their defaults."""


def sample_genome(space: SearchSpace, rng: random.Random) -> Genome:
    """A random genome: input first, then each block's layers."""
    spec = _sample_input(space, rng)
    blocks = tuple([sample_block(space, rng) for _ in range(space.blocks.draw(rng))])
    return Genome(spec, blocks, space.head)


def sample_block(space: SearchSpace, rng: random.Random) -> Block:
    """A random block."""
    return Block(
        layers=tuple([sample_layer(space, rng) for _ in range(space.layers.draw(rng))]),
        repeats=space.repeats.draw(rng),
        residual=pick(space.residuals, rng),
        activation=pick(space.activations, rng),
    )


def sample_layer(space: SearchSpace, rng: random.Random) -> Layer:
    """A random layer, its type first."""
    layer_class, draws = _DRAWS_OF[pick(space.layer_types, rng)]
    layer: Layer = layer_class(*[draw(space, rng) for draw in draws])
    return layer


def drawn_parameters(layer: Layer) -> tuple[str, ...]:
    """The names of the parameters of ``layer`` that a search space has values for."""
    return tuple([name for name in layer.__struct_fields__ if name in _DRAWS])


def draw_parameter(name: str, space: SearchSpace, rng: random.Random) -> int | float | str:
    """A random value for a layer's parameter of that name."""
    return _DRAWS[name](space, rng)


def pick(choices: tuple[Choice, ...], rng: random.Random) -> Choice:
    """One of ``choices``, each as likely; four times as fast as ``rng.choice``."""
    return choices[int(rng.random() * len(choices))]


_DRAWS_OF: dict[LayerType, tuple[Callable[..., Any], list[Callable[..., Any]]]] = {
    kind: (layer, [_DRAWS[name] for name in layer.__struct_fields__ if name in _DRAWS])
    for kind, layer in LAYERS.items()
}
"""Each layer type and how its parameters are drawn, in order: those that are not drawn come last."""


def _sample_input(space: SearchSpace, rng: random.Random) -> InputSpec:
    frames = space.frames.draw(rng)
    return InputSpec(
        resolution=space.resolution.draw(rng),
        frames=frames,
        frame_stride=space.frame_strides(frames).draw(rng),
    )
