"""Random genomes, blocks and layers from a search space."""

from __future__ import annotations

import random
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.calls import Shape
from tvnsearch.genome.genome import Block, Genome, InputSpec
from tvnsearch.genome.layers import DRAWN_LAYERS, Branches, Layer, NonLocal
from tvnsearch.genome.space import FloatRange, IntRange, SearchSpace
from tvnsearch.genome.trace import in_shape, trace_block

Choice = TypeVar("Choice")

Domain: TypeAlias = IntRange | FloatRange | tuple[Any, ...]
"""The values that a parameter may have."""

_DOMAINS = {
    "filters": "filters",
    "kernel": "kernel",
    "kernel_frames": "kernel",
    "stride": "stride",
    "stride_frames": "stride",
    "activation": "activations",
    "mode": "pool_modes",
    "bottleneck": "bottleneck",
    "ratio": "squeeze_ratio",
    "expansion": "expansion",
    "frames": "packed_frames",
    "form": "non_local_forms",
}
"""Which key of a space has the values of a layer's parameter; parameters not here keep their defaults."""


def sample_genome(space: SearchSpace, rng: random.Random) -> Genome:
    """A random genome: input first, then each block's layers."""
    spec = _sample_input(space, rng)
    blocks = tuple([sample_block(space, rng) for _ in range(space.blocks.draw(rng))])
    return with_affordable_attention(Genome(spec, blocks, space.head))


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
    layer_class, keys = _DRAWN_KEYS[pick(space.layer_types, rng)]
    layer: Layer = layer_class(*[draw(getattr(space, key), rng) for key in keys])
    return layer


def draw(domain: Domain, rng: random.Random) -> Any:
    """A random value; a single choice is not drawn."""
    if isinstance(domain, tuple):
        return domain[0] if len(domain) == 1 else pick(domain, rng)
    return domain.draw(rng)


def draw_other(domain: Domain, value: Any, rng: random.Random) -> Any:
    """A random value that is not ``value``, unless there is no other."""
    if isinstance(domain, tuple):
        others = tuple([choice for choice in domain if choice != value])
        return pick(others, rng) if others else value
    return domain.draw_other(value, rng)


def domain_of(parameter: str, space: SearchSpace) -> Domain:
    """The values that a layer's parameter of that name may have; see :func:`drawn_parameters`."""
    domain: Domain = getattr(space, _DOMAINS[parameter])
    return domain


def drawn_parameters(layer: Layer | type[Layer]) -> tuple[str, ...]:
    """The names of the parameters of a layer, or a type of layer, that a search space has values for."""
    return tuple([name for name in layer.__struct_fields__ if name in _DOMAINS])


def pick(choices: tuple[Choice, ...], rng: random.Random) -> Choice:
    """One of ``choices``, each as likely; four times as fast as ``rng.choice``."""
    return choices[int(rng.random() * len(choices))]


def with_affordable_attention(genome: Genome) -> Genome:
    """``genome`` with the dot-product form where a non-local block has too many positions for a softmax.

    What is drawn is always a network that can be built; shapes do not depend on the form.
    """
    if not _has_softmax(genome):
        return genome
    shape, non_negative = in_shape(genome), False
    blocks: list[Block] = []
    for block in genome.blocks:
        blocks.append(_affordable(block, shape, non_negative))
        walked = trace_block(blocks[-1], shape, non_negative)
        shape, non_negative = walked.out_shape, walked.non_negative
    return genome if tuple(blocks) == genome.blocks else replace(genome, blocks=tuple(blocks))


def _has_softmax(genome: Genome) -> bool:
    """Asked of every genome that is drawn, so written for speed."""
    for block in genome.blocks:
        for layer in block.layers:
            kind = type(layer)
            if (kind is NonLocal or kind is Branches) and _attends(layer):
                return True
    return False


def _affordable(block: Block, shape: Shape, non_negative: bool) -> Block:
    """All repeats are asked: a branch that strides in the first sees a larger map in the others."""
    layers: tuple[Layer, ...] = ()
    for layer in block.layers:
        if _attends(layer):
            try:
                trace_block(Block((*layers, layer), repeats=block.repeats), shape, non_negative)
            except UserError:
                layer = _by_dot_product(layer)  # noqa: PLW2901 - the same, mended
        layers += (layer,)
    return replace(block, layers=layers)


def _attends(layer: Layer) -> bool:
    if isinstance(layer, Branches):
        return any(_attends(inner) for branch in layer.branches for inner in branch)
    return isinstance(layer, NonLocal) and layer.form == "embedded_gaussian"


def _by_dot_product(layer: Layer) -> Layer:
    if isinstance(layer, Branches):
        branches = tuple(tuple(_by_dot_product(inner) for inner in branch) for branch in layer.branches)
        return replace(layer, branches=branches)
    return replace(layer, form="dot_product") if isinstance(layer, NonLocal) else layer


_DRAWN_KEYS: dict[str, tuple[type[Layer], list[str]]] = {
    kind: (layer, [_DOMAINS[name] for name in layer.__struct_fields__ if name in _DOMAINS])
    for kind, layer in DRAWN_LAYERS.items()
}
"""Each layer type and the keys of its parameters, in order: those that are not drawn come last."""


def _sample_input(space: SearchSpace, rng: random.Random) -> InputSpec:
    frames = space.frames.draw(rng)
    height, width = space.input.with_short_side(space.resolution.draw(rng))
    return InputSpec(height, width, frames, space.frame_strides(frames).draw(rng))
