from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvnsearch.errors import UserError
from tvnsearch.genome import Genome
from tvnsearch.genome.mutation import OPERATORS, mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import PRESETS, IntRange, SearchSpace, load_space

SPACES = {name: load_space(name) for name in PRESETS}


def assert_inside(genome: Genome, space: SearchSpace) -> None:
    assert genome.input.resolution in space.resolution
    assert genome.input.frames in space.frames
    assert genome.input.frame_stride in space.frame_strides(genome.input.frames)
    assert len(genome.blocks) in space.blocks
    for block in genome.blocks:
        assert block.repeats in space.repeats
        assert len(block.layers) in space.layers
        assert block.residual in space.residuals
        assert block.activation in space.activations
        for layer in block.layers:
            assert layer.__struct_config__.tag in space.layer_types
            for name in layer.__struct_fields__:
                value = getattr(layer, name)
                legal = {
                    "activation": space.activations,
                    "mode": space.pool_modes,
                    "ratio": space.squeeze_ratio,
                    "inner": ("relu",),
                    "gate": ("sigmoid",),
                    "over": ("clip",),
                }.get(name) or getattr(space, name)
                assert value in legal, (name, value)


@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
def test_samples_and_their_children_stay_inside(name: str, seed: int) -> None:
    space, rng = SPACES[name], random.Random(seed)
    genome = sample_genome(space, rng)
    assert_inside(genome, space)
    for _ in range(20):
        child = mutate(genome, space, rng)
        assert child != genome
        assert_inside(child, space)
        genome = child


@given(st.integers(0, 2**32))
def test_the_same_seed_draws_the_same_genomes(seed: int) -> None:
    space = SPACES["paper"]
    one, other = random.Random(seed), random.Random(seed)
    first, second = sample_genome(space, one), sample_genome(space, other)
    assert first == second
    assert mutate(first, space, one) == mutate(second, space, other)


def test_the_paper_ranges() -> None:
    space = SPACES["paper"]
    rng = random.Random(1)
    drawn = [sample_genome(space, rng) for _ in range(3000)]
    assert {genome.input.resolution for genome in drawn} == set(range(32, 321, 32))
    assert {len(genome.blocks) for genome in drawn} == set(range(1, 9))
    frames = [genome.input.frames for genome in drawn]
    assert (min(frames), max(frames)) == (1, 128)
    layers = [layer for genome in drawn for block in genome.blocks for layer in block.layers]
    assert {type(layer).__name__ for layer in layers} == {
        "SpatialConv",
        "DepthwiseConv",
        "TemporalConv",
        "SpatialPool",
        "TemporalPool",
        "NonLocal",
        "ContextGate",
        "SqueezeExcite",
    }
    assert {layer.kernel for layer in layers if hasattr(layer, "kernel")} == set(range(1, 9))


def test_every_operator_changes_something_it_is_named_for() -> None:
    space, rng = SPACES["paper"], random.Random(3)
    changed = dict.fromkeys(OPERATORS, 0)
    for _ in range(300):
        genome = sample_genome(space, rng)
        for name, operator in OPERATORS.items():
            changed[name] += operator(genome, space, rng) != genome
    assert min(changed.values()) > 100, changed


@given(st.integers(1, 50), st.integers(0, 300), st.integers(1, 17), st.sampled_from(["linear", "log"]))
def test_ranges_draw_their_own_values(low: int, width: int, step: int, scale: str) -> None:
    values = IntRange(low, low + width, step, scale)  # type: ignore[arg-type]
    rng = random.Random(width)
    assert all(values.draw(rng) in values for _ in range(50))
    assert values.fixed or values.draw_other(values.min, rng) != values.min


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("kernel = { min = 5, max = 2 }", "$.kernel"),
        ("kernal = { min = 1, max = 2 }", "kernal"),
        ("layer_types = ['spatial_conv', 'magic']", "$.layer_types"),
        ("activations = []", "activations"),
        ("= nonsense", "space.toml"),
    ],
)
def test_a_malformed_space_names_its_key(tmp_path, text: str, names: str) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(UserError) as refusal:
        load_space(str(path))
    assert names in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_an_own_space_narrows_what_it_names(tmp_path) -> None:
    path = tmp_path / "space.toml"
    path.write_text("filters = { min = 8, max = 16, step = 8 }\nlayer_types = ['spatial_conv']\n")
    space = load_space(str(path))
    assert space.resolution == SPACES["paper"].resolution
    genome = sample_genome(space, random.Random(0))
    assert {layer.filters for block in genome.blocks for layer in block.layers} <= {8, 16}  # type: ignore[union-attr]


def test_an_unknown_space_is_one_sentence() -> None:
    with pytest.raises(UserError, match="neither"):
        load_space("papper")
