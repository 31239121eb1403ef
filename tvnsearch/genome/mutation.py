"""The discrete mutation operators: each changes one random part of a genome (paper, section 2)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from tvnsearch.genome.genome import Block, Genome, InputSpec
from tvnsearch.genome.layers import Branches, Layer
from tvnsearch.genome.sampling import (
    domain_of,
    draw_other,
    drawn_parameters,
    pick,
    sample_block,
    sample_layer,
    with_affordable_attention,
)
from tvnsearch.genome.space import SearchSpace

Part = TypeVar("Part")
Operator = Callable[[Genome, SearchSpace, random.Random], Genome]

MOST_DRAWS = 64
"""After so many draws that brought what was there, a space is taken to have nothing else."""


def mutate(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """A child that differs from ``genome`` in one written part, chosen with its operator at random.

    Where it would be refused for too many positions before a softmax, those blocks get their other form.

    Of the operators that can change this genome each is as likely: none draws what is there already. Those
    that cannot (removing its only block, say) are passed over; a space in which none can change anything
    gives the genome back.
    """
    untried = list(OPERATORS.values())
    while untried:
        operator = untried.pop(int(rng.random() * len(untried)))
        for _ in range(MOST_DRAWS):
            child = operator(genome, space, rng)
            if child is genome:
                break
            affordable = with_affordable_attention(child)
            if affordable is child or affordable != genome:
                return affordable
    return genome


def change_resolution(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another resolution of the input."""
    height, width = space.input.with_short_side(space.resolution.draw_other(genome.input.short_side, rng))
    return _with_input(genome, replace(genome.input, height=height, width=width))


def change_frames(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another number of frames; the frame stride is drawn again where it would now span too much."""
    frames = space.frames.draw_other(genome.input.frames, rng)
    strides = space.frame_strides(frames)
    frame_stride = genome.input.frame_stride if genome.input.frame_stride in strides else strides.draw(rng)
    return _with_input(genome, replace(genome.input, frames=frames, frame_stride=frame_stride))


def change_frame_stride(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another frame stride."""
    strides = space.frame_strides(genome.input.frames)
    frame_stride = strides.draw_other(genome.input.frame_stride, rng)
    return _with_input(genome, replace(genome.input, frame_stride=frame_stride))


def insert_block(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """A new random block at a random place."""
    if len(genome.blocks) >= space.blocks.max:
        return genome
    place = rng.randint(0, len(genome.blocks))
    blocks = (*genome.blocks[:place], sample_block(space, rng), *genome.blocks[place:])
    return replace(genome, blocks=blocks)


def remove_block(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """One block less."""
    if len(genome.blocks) <= space.blocks.min:
        return genome
    place = int(rng.random() * len(genome.blocks))
    return replace(genome, blocks=genome.blocks[:place] + genome.blocks[place + 1 :])


def change_repeats(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another number of repeats of one block."""

    def change(block: Block) -> Block:
        repeats = space.repeats.draw_other(block.repeats, rng)
        return block if repeats == block.repeats else replace(block, repeats=repeats)

    return _in_a_block(genome, rng, change)


def change_residual(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another kind of residual connection around one block's repeats, or none."""

    def change(block: Block) -> Block:
        residual = draw_other(space.residuals, block.residual, rng)
        return block if residual == block.residual else replace(block, residual=residual)

    return _in_a_block(genome, rng, change)


def change_block_activation(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another activation at the end of one block's repeats, or none."""

    def change(block: Block) -> Block:
        activation = draw_other(space.activations, block.activation, rng)
        return block if activation == block.activation else replace(block, activation=activation)

    return _in_a_block(genome, rng, change)


def insert_layer(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """A new random layer at a random place in one block."""

    def insert(block: Block) -> Block:
        if len(block.layers) >= space.layers.max:
            return block
        place = rng.randint(0, len(block.layers))
        return replace(block, layers=(*block.layers[:place], sample_layer(space, rng), *block.layers[place:]))

    return _in_a_block(genome, rng, insert)


def remove_layer(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """One layer less in one block."""

    def remove(block: Block) -> Block:
        if len(block.layers) <= space.layers.min:
            return block
        place = int(rng.random() * len(block.layers))
        return replace(block, layers=block.layers[:place] + block.layers[place + 1 :])

    return _in_a_block(genome, rng, remove)


def replace_layer(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another random layer in the place of one."""

    def change(layer: Layer) -> Layer:
        drawn = (sample_layer(space, rng) for _ in range(MOST_DRAWS))
        return next((other for other in drawn if other != layer), layer)

    return _in_a_layer(genome, rng, change)


def swap_layers(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Two different layers of one block change places."""

    def swap(block: Block) -> Block:
        layers = list(block.layers)
        for first in _in_any_order(len(layers), rng):
            others = tuple([place for place, layer in enumerate(layers) if layer != layers[first]])
            if others:
                second = pick(others, rng)
                layers[first], layers[second] = layers[second], layers[first]
                return replace(block, layers=tuple(layers))
        return block

    return _in_a_block(genome, rng, swap)


def change_layer_parameter(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another value for one field of one layer (kernel, stride, filters, ratio, ...)."""

    def change(layer: Layer) -> Layer:
        names = drawn_parameters(layer)
        for place in _in_any_order(len(names), rng):
            value = getattr(layer, names[place])
            other = draw_other(domain_of(names[place], space), value, rng)
            if other != value:
                return replace(layer, **{names[place]: other})
        return layer

    return _in_a_layer(genome, rng, change)


OPERATORS: dict[str, Operator] = {
    operator.__name__: operator
    for operator in (
        change_resolution,
        change_frames,
        change_frame_stride,
        insert_block,
        remove_block,
        change_repeats,
        change_residual,
        change_block_activation,
        insert_layer,
        remove_layer,
        replace_layer,
        swap_layers,
        change_layer_parameter,
    )
}
"""Every mutation operator by its name, each as likely as the others."""


def _with_input(genome: Genome, spec: InputSpec) -> Genome:
    return genome if spec == genome.input else replace(genome, input=spec)


def _in_any_order(count: int, rng: random.Random) -> Iterator[int]:
    """The numbers below ``count``; whoever stops at the first that will do takes each of those as often."""
    left = list(range(count))
    while left:
        yield left.pop(int(rng.random() * len(left)))


def _one_changed(
    parts: tuple[Part, ...], rng: random.Random, change: Callable[[Part], Part]
) -> tuple[Part, ...]:
    """One of the parts that ``change`` can change, changed; the same tuple where it can change none."""
    for place in _in_any_order(len(parts), rng):
        changed = change(parts[place])
        if changed is not parts[place]:
            return (*parts[:place], changed, *parts[place + 1 :])
    return parts


def _in_a_block(genome: Genome, rng: random.Random, change: Callable[[Block], Block]) -> Genome:
    blocks = _one_changed(genome.blocks, rng, change)
    return genome if blocks is genome.blocks else replace(genome, blocks=blocks)


def _in_a_layer(genome: Genome, rng: random.Random, change: Callable[[Layer], Layer]) -> Genome:
    """Peers' networks are mutated inside their branches as well; which branches there are stays."""

    def in_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        return _one_changed(layers, rng, in_layer)

    def in_layer(layer: Layer) -> Layer:
        if not isinstance(layer, Branches):
            return change(layer)
        branches = _one_changed(layer.branches, rng, in_layers)
        return layer if branches is layer.branches else replace(layer, branches=branches)

    def in_block(block: Block) -> Block:
        layers = in_layers(block.layers)
        return block if layers is block.layers else replace(block, layers=layers)

    return _in_a_block(genome, rng, in_block)
