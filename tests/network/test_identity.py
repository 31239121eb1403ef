"""Equal identity is equal work: genomes written differently are executed and compared."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor

from tests.genome.strategies import MOBILE, genomes
from tvnsearch.genome import Block, Genome, genome_id
from tvnsearch.genome.layers import (
    Activate,
    Branches,
    DepthwiseConv,
    FramePacking,
    InvertedResidual,
    SpatialConv,
    SpatialPool,
    TemporalConv,
    TemporalInvertedResidual,
    TemporalPool,
)
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.space import IntRange
from tvnsearch.network import build_network

SMALL = replace(
    MOBILE,
    resolution=IntRange(8, 24, 8),
    frames=IntRange(1, 4),
    filters=IntRange(16, 48, 8),
    bottleneck=IntRange(4, 16),
    blocks=IntRange(1, 4),
    repeats=IntRange(1, 3),
    layers=IntRange(1, 4),
)
"""Every paper and mobile layer with every kernel and stride, at sizes that run in milliseconds."""

OVER_TIME = (TemporalConv, TemporalInvertedResidual, TemporalPool)


def _logits(genome: Genome) -> Tensor:
    torch.manual_seed(0)
    network = build_network(genome, 5).eval()
    spec = genome.input
    with torch.inference_mode():
        return network(torch.rand(2, spec.frames, spec.height, spec.width, 3))


def _in_a_block(change: Callable[[Block, random.Random], Block]) -> Callable[[Genome, random.Random], Genome]:
    def rewrite(genome: Genome, rng: random.Random) -> Genome:
        place = rng.randrange(len(genome.blocks))
        blocks = list(genome.blocks)
        blocks[place] = change(blocks[place], rng)
        return replace(genome, blocks=tuple(blocks))

    return rewrite


def _insert_nothing(block: Block, rng: random.Random) -> Block:
    place = rng.randint(0, len(block.layers))
    nothing = rng.choice([SpatialPool("max", 1), TemporalPool("avg", 1), Activate("none")])
    return replace(block, layers=(*block.layers[:place], nothing, *block.layers[place:]))


def _write_out_inverted_residuals(block: Block, rng: random.Random) -> Block:
    def written(layer: InvertedResidual) -> Branches:
        # The widening needs the channels that come in, so a convolution that fixes them goes first.
        body = (DepthwiseConv(layer.kernel, layer.stride, layer.activation), SpatialConv(layer.filters))
        return Branches("sum", (body, ()))

    layers = tuple(
        written(layer) if isinstance(layer, InvertedResidual) and layer.expansion == 1 else layer
        for layer in block.layers
    )
    return replace(block, layers=layers)


def _pointwise_in_time(genome: Genome, rng: random.Random) -> Genome:
    layers = [layer for block in genome.blocks for layer in block.layers]
    fewer_frames = any(
        isinstance(layer, FramePacking) or (isinstance(layer, OVER_TIME) and layer.stride > 1)
        for layer in layers
    )
    if genome.input.frames == 1 or fewer_frames:
        return genome  # temporal layers are not executed on a single frame, spatial ones are
    return _in_a_block(_pointwise_in_space)(genome, rng)


def _pointwise_in_space(block: Block, rng: random.Random) -> Block:
    layers = tuple(
        SpatialConv(layer.filters, 1, 1, layer.activation)
        if isinstance(layer, TemporalConv) and layer.kernel == layer.stride == 1
        else layer
        for layer in block.layers
    )
    return replace(block, layers=layers)


def _drop_before_pointwise(block: Block, rng: random.Random) -> Block:
    layers = []
    for layer in block.layers:
        if isinstance(layer, SpatialConv) and layer.kernel == 1 and layer.stride > 1:
            layers += [SpatialPool("avg", 1, layer.stride), replace(layer, stride=1)]
        else:
            layers.append(layer)
    return replace(block, layers=tuple(layers))


def _activation_as_a_layer(block: Block, rng: random.Random) -> Block:
    if block.residual != "none":
        return block
    return replace(block, layers=(*block.layers, Activate(block.activation)), activation="none")


def _split_a_block(genome: Genome, rng: random.Random) -> Genome:
    place = rng.randrange(len(genome.blocks))
    block = genome.blocks[place]
    if block.residual != "none" or block.repeats > 1 or len(block.layers) == 1:
        return genome
    cut = rng.randrange(1, len(block.layers))
    halves = (
        replace(block, layers=block.layers[:cut], activation="none"),
        replace(block, layers=block.layers[cut:]),
    )
    return replace(genome, blocks=(*genome.blocks[:place], *halves, *genome.blocks[place + 1 :]))


REWRITES = [
    _in_a_block(_insert_nothing),
    _in_a_block(_write_out_inverted_residuals),
    _pointwise_in_time,
    _in_a_block(_drop_before_pointwise),
    _in_a_block(_activation_as_a_layer),
    _split_a_block,
]


QUICK = settings(max_examples=50, deadline=None)
THOROUGH = settings(max_examples=400, deadline=None)


def _assert_rewriting_changes_nothing(genome: Genome, seed: int) -> None:
    rng = random.Random(seed)
    rewritten = genome
    for _ in range(6):
        rewritten = rng.choice(REWRITES)(rewritten, rng)
    assume(rewritten != genome)
    assert torch.equal(_logits(genome), _logits(rewritten))
    assert genome_id(genome) == genome_id(rewritten)


@QUICK
@given(genomes(SMALL), st.integers(0, 2**32))
def test_written_differently_and_executed_alike_is_one_identity(genome: Genome, seed: int) -> None:
    _assert_rewriting_changes_nothing(genome, seed)


@pytest.mark.slow
@THOROUGH
@given(genomes(SMALL), st.integers(0, 2**32))
def test_written_differently_400_times(genome: Genome, seed: int) -> None:
    _assert_rewriting_changes_nothing(genome, seed)


def _assert_equal_ids_compute_the_same(genome: Genome, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(10):
        child = mutate(genome, SMALL, rng)
        if genome_id(child) == genome_id(genome):
            assert torch.equal(_logits(child), _logits(genome))
        genome = child


@QUICK
@given(genomes(SMALL), st.integers(0, 2**32))
def test_children_of_one_identity_compute_the_same(genome: Genome, seed: int) -> None:
    _assert_equal_ids_compute_the_same(genome, seed)


@pytest.mark.slow
@THOROUGH
@given(genomes(SMALL), st.integers(0, 2**32))
def test_children_of_400_families_compute_the_same(genome: Genome, seed: int) -> None:
    _assert_equal_ids_compute_the_same(genome, seed)
