"""Mutation: every legal value can be reached, any genome from any other, and what comes out can be built."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.genome.strategies import MOBILE, PAPER
from tests.genome.test_space import assert_inside
from tvnsearch.genome import Block, Genome, genome_id, square_input, trace
from tvnsearch.genome.layers import Branches, ContextGate, Layer, NonLocal, SpatialConv, SpatialPool
from tvnsearch.genome.mutation import OPERATORS, Operator, mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import PRESETS, IntRange, SearchSpace, load_space
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.genome.zoo.peers import PEERS
from tvnsearch.network import build_network

SPACES = {name: load_space(name) for name in PRESETS}

TINY = SearchSpace(
    resolution=IntRange(32, 64, 32),
    frames=IntRange(1, 2),
    frame_stride=IntRange(1, 2),
    blocks=IntRange(1, 2),
    repeats=IntRange(1, 2),
    layers=IntRange(1, 2),
    layer_types=("spatial_pool", "context_gate"),
    kernel=IntRange(2, 2),
    stride=IntRange(1, 1),
    pool_modes=("avg", "max"),
    activations=("none",),
    residuals=("none", "identity"),
)
"""A space small enough to be listed: each kind of choice is there, with two values."""


def _all_genomes() -> Iterator[Genome]:
    from itertools import product

    layers: list[Layer] = [SpatialPool("avg", 2), SpatialPool("max", 2), ContextGate()]
    sequences = [*((layer,) for layer in layers), *product(layers, repeat=2)]
    blocks = [
        Block(sequence, repeats, residual)
        for sequence, repeats, residual in product(sequences, (1, 2), ("none", "identity"))
    ]
    for resolution, frames, stride in product((32, 64), (1, 2), (1, 2)):
        spec = square_input(resolution, frames, stride)
        for written in (*((block,) for block in blocks), *product(blocks, repeat=2)):
            yield Genome(spec, written)


def _reached(start: Genome, children_of: dict[Genome, set[Genome]]) -> set[Genome]:
    seen, waiting = {start}, deque([start])
    while waiting:
        new = children_of[waiting.popleft()] - seen
        seen |= new
        waiting.extend(new)
    return seen


def test_any_genome_can_be_reached_from_any_other() -> None:
    """All 18,816 genomes of a small space, one strongly connected graph under mutation."""
    rng = random.Random(0)
    listed = list(_all_genomes())  # in one order, so that every process makes the same mutations
    genomes = set(listed)
    assert len(genomes) == 8 * (48 + 48 * 48)
    children: dict[Genome, set[Genome]] = {genome: set() for genome in genomes}
    parents: dict[Genome, set[Genome]] = {genome: set() for genome in genomes}
    for genome in listed:
        for _ in range(30):
            child = mutate(genome, TINY, rng)
            assert child in genomes
            children[genome].add(child)
            parents[child].add(genome)
    start = listed[0]
    assert _reached(start, children) == genomes
    assert _reached(start, parents) == genomes


PARAMETERS = {
    "filters": lambda space: set(_values(space.filters)),
    "kernel": lambda space: set(_values(space.kernel)),
    "stride": lambda space: set(_values(space.stride)),
    "bottleneck": lambda space: set(_values(space.bottleneck)),
    "frames": lambda space: set(_values(space.packed_frames)),
    "form": lambda space: set(space.non_local_forms),
    "activation": lambda space: set(space.activations),
    "mode": lambda space: set(space.pool_modes),
}


def _values(numbers: IntRange) -> range:
    return range(numbers.min, numbers.max + 1, numbers.step)


def test_every_operator_reaches_every_legal_value() -> None:
    """In the mobile space, which holds the paper's, by mutating short genomes 600,000 times."""
    rng = random.Random(1)
    reached: dict[str, set[object]] = {name: set() for name in (*PARAMETERS, "ratio", "expansion")}
    inputs: dict[str, set[int]] = {"resolution": set(), "frames": set(), "frame_stride": set()}
    counts: dict[str, set[int]] = {"blocks": set(), "repeats": set(), "layers": set()}
    kinds: Counter[str] = Counter()
    residuals, activations = set(), set()
    change = OPERATORS["change_layer_parameter"]
    for kind in MOBILE.layer_types:
        space = replace(MOBILE, layer_types=(kind,), layers=IntRange(1, 1), blocks=IntRange(1, 1))
        genome = sample_genome(space, rng)
        for _ in range({"spatial_conv": 50_000, "non_local": 100_000}.get(kind, 4_000)):
            genome = change(genome, space, rng)
            layer = genome.blocks[0].layers[0]
            for name in reached.keys() & set(layer.__struct_fields__):
                reached[name].add(getattr(layer, name))
    for name, legal in PARAMETERS.items():
        assert reached[name] == legal(MOBILE), name
    assert min(reached["expansion"]) < 1.01 and max(reached["expansion"]) > 7.99  # type: ignore[operator, type-var]
    assert min(reached["ratio"]) < 0.01 and max(reached["ratio"]) > 0.99  # type: ignore[operator, type-var]
    genome = sample_genome(MOBILE, rng)
    for _ in range(80_000):
        genome = mutate(genome, MOBILE, rng)
        inputs["resolution"].add(genome.input.height)
        inputs["frames"].add(genome.input.frames)
        inputs["frame_stride"].add(genome.input.frame_stride)
        counts["blocks"].add(len(genome.blocks))
        block = genome.blocks[0]
        counts["repeats"].add(block.repeats)
        counts["layers"].add(len(block.layers))
        residuals.add(block.residual)
        activations.add(block.activation)
        kinds.update(layer.__struct_config__.tag for layer in block.layers)  # type: ignore[misc]
    for name, values in {**inputs, **counts}.items():
        assert values == set(_values(getattr(MOBILE, name))), name
    assert residuals == set(MOBILE.residuals) and activations == set(MOBILE.activations)
    assert set(kinds) == set(MOBILE.layer_types)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_chain_of_1000_mutations_stays_inside_and_can_be_built(name: str) -> None:
    _assert_chain_builds(SPACES[name], seed=0, every=50)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("name", sorted(SPACES))
def test_chains_of_1000_mutations_can_be_built_at_every_fifth_step(name: str, seed: int) -> None:
    _assert_chain_builds(SPACES[name], seed, every=5)


def _assert_chain_builds(space: SearchSpace, seed: int, every: int) -> None:
    """Shapes are checked by torch itself, on the meta device, where nothing is computed."""
    rng = random.Random(seed)
    genome = sample_genome(space, rng)
    for step in range(1000):
        child = mutate(genome, space, rng)
        assert child != genome
        assert_inside(child, space)
        assert min(min(call.out_shape) for call in trace(child).calls) >= 1
        genome = child
        if step % every == 0:
            spec = genome.input
            with torch.device("meta"):
                clips = torch.empty(1, spec.frames, spec.height, spec.width, 3)
                assert build_network(genome, 10).eval()(clips).shape == (1, 10)


@settings(max_examples=40)
@given(st.sampled_from(sorted(PEERS)), st.integers(0, 2**32))
def test_peers_can_be_mutated_too(name: str, seed: int) -> None:
    rng = random.Random(seed)
    genome = load_zoo(name)
    for _ in range(20):
        child = mutate(genome, PAPER, rng)
        assert trace(child).params > 0
        genome = child


def test_layers_inside_branches_are_mutated() -> None:
    rng = random.Random(0)
    i3d = load_zoo("i3d")
    changed = {genome_id(OPERATORS["change_layer_parameter"](i3d, PAPER, rng)) for _ in range(60)}
    inside = [layer for block in i3d.blocks for layer in block.layers if isinstance(layer, Branches)]
    assert len(inside) == 9
    assert len(changed) > 30


@pytest.mark.parametrize("name", sorted(SPACES))
def test_each_operator_that_can_change_a_genome_is_as_likely(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, rng = SPACES[name], random.Random(3)
    made: Counter[str] = Counter()
    tried: list[str] = []

    def counted(operator: Operator) -> Operator:
        def change(genome: Genome, space: SearchSpace, rng: random.Random) -> Genome:
            tried.append(operator.__name__)
            return operator(genome, space, rng)

        return change

    for operator in OPERATORS.values():
        monkeypatch.setitem(OPERATORS, operator.__name__, counted(operator))
    # a genome with room on every side: no operator has to be passed over
    convolution, gate, related = SpatialConv(64, 3), ContextGate(), NonLocal(16)
    block = Block((convolution, gate, related), repeats=2)
    spec = square_input(space.resolution.max, space.frames.max, space.frame_stride.min)
    genome = Genome(spec, (block,) * 3)
    for _ in range(13_000):
        child = mutate(genome, space, rng)
        assert child != genome
        made[tried[-1]] += 1
    has_one_stride = space.frame_strides(spec.frames).fixed
    assert set(made) == set(OPERATORS) - ({"change_frame_stride"} if has_one_stride else set())
    assert min(made.values()) > 880 and max(made.values()) < 1200


def test_a_mutation_draws_another_value_never_the_one_that_is_there() -> None:
    rng = random.Random(5)
    genome = Genome(square_input(32, 4), (Block((SpatialPool("avg", 2, 2),)),))
    for _ in range(300):
        [layer] = OPERATORS["change_layer_parameter"](genome, TINY, rng).blocks[0].layers
        assert (layer.mode != "avg") + (layer.kernel != 2) + (layer.stride != 2) == 1  # type: ignore[union-attr]
