"""The discrete mutation operators: each changes one random part of a genome (paper, section 2)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from tvnsearch.genome.genome import Block, Genome
from tvnsearch.genome.layers import Branches, Layer
from tvnsearch.genome.sampling import draw_parameter, drawn_parameters, pick, sample_block, sample_layer
from tvnsearch.genome.space import SearchSpace

Choice = TypeVar("Choice")
Operator = Callable[[Genome, SearchSpace, random.Random], Genome]


def mutate(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """A child that differs from ``genome`` in one written part, chosen with its operator at random.

    Operators that cannot change this genome (removing its only block, say) are passed over; a space in which
    none can change anything gives the genome back.
    """
    untried = list(OPERATORS.values())
    while untried:
        operator = untried.pop(int(rng.random() * len(untried)))
        child = operator(genome, space, rng)
        if child is not genome and child != genome:
            return child
    return genome


def change_resolution(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another resolution of the input."""
    resolution = space.resolution.draw_other(genome.input.resolution, rng)
    return replace(genome, input=replace(genome.input, resolution=resolution))


def change_frames(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another number of frames; the frame stride is drawn again where it would now span too much."""
    frames = space.frames.draw_other(genome.input.frames, rng)
    strides = space.frame_strides(frames)
    frame_stride = genome.input.frame_stride if genome.input.frame_stride in strides else strides.draw(rng)
    return replace(genome, input=replace(genome.input, frames=frames, frame_stride=frame_stride))


def change_frame_stride(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another frame stride."""
    strides = space.frame_strides(genome.input.frames)
    frame_stride = strides.draw_other(genome.input.frame_stride, rng)
    return replace(genome, input=replace(genome.input, frame_stride=frame_stride))


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
    return _in_a_block(
        genome, rng, lambda block: replace(block, repeats=space.repeats.draw_other(block.repeats, rng))
    )


def change_residual(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another kind of residual connection around one block's repeats, or none."""
    return _in_a_block(
        genome,
        rng,
        lambda block: replace(block, residual=_other(block.residual, space.residuals, rng)),
    )


def change_block_activation(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another activation at the end of one block's repeats, or none."""
    return _in_a_block(
        genome,
        rng,
        lambda block: replace(block, activation=_other(block.activation, space.activations, rng)),
    )


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
        place = rng.randrange(len(block.layers))
        return replace(block, layers=block.layers[:place] + block.layers[place + 1 :])

    return _in_a_block(genome, rng, remove)


def replace_layer(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """A new random layer in the place of one."""
    return _in_a_layer(genome, rng, lambda layer: sample_layer(space, rng))


def swap_layers(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Two layers of one block change places."""

    def swap(block: Block) -> Block:
        if len(block.layers) < 2:
            return block
        first, second = rng.sample(range(len(block.layers)), 2)
        layers = list(block.layers)
        layers[first], layers[second] = layers[second], layers[first]
        return replace(block, layers=tuple(layers))

    return _in_a_block(genome, rng, swap)


def change_layer_parameter(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
    """Another value for one field of one layer (kernel, stride, filters, ratio, ...)."""

    def change(layer: Layer) -> Layer:
        names = drawn_parameters(layer)
        if not names:
            return layer
        name = pick(names, rng)
        return replace(layer, **{name: draw_parameter(name, space, rng)})

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


def _in_a_block(genome: Genome, rng: random.Random, change: Callable[[Block], Block]) -> Genome:
    place = int(rng.random() * len(genome.blocks))
    blocks = (*genome.blocks[:place], change(genome.blocks[place]), *genome.blocks[place + 1 :])
    return replace(genome, blocks=blocks)


def _in_a_layer(genome: Genome, rng: random.Random, change: Callable[[Layer], Layer]) -> Genome:
    return _in_a_block(
        genome, rng, lambda block: replace(block, layers=_one_changed(block.layers, rng, change))
    )


def _one_changed(
    layers: tuple[Layer, ...], rng: random.Random, change: Callable[[Layer], Layer]
) -> tuple[Layer, ...]:
    place = int(rng.random() * len(layers))
    layer = layers[place]
    if isinstance(layer, Branches):
        changed: Layer = _one_branch_changed(layer, rng, change)
    else:
        changed = change(layer)
    return (*layers[:place], changed, *layers[place + 1 :])


def _one_branch_changed(layer: Branches, rng: random.Random, change: Callable[[Layer], Layer]) -> Branches:
    """Peers' networks are mutated inside their branches; which branches there are stays."""
    place = pick(tuple(place for place, branch in enumerate(layer.branches) if branch), rng)
    branch = _one_changed(layer.branches[place], rng, change)
    return replace(layer, branches=(*layer.branches[:place], branch, *layer.branches[place + 1 :]))


def _other(value: Choice, choices: tuple[Choice, ...], rng: random.Random) -> Choice:
    others = tuple([choice for choice in choices if choice != value])
    return pick(others, rng) if others else value
