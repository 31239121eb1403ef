from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, InputSpec, square_input, trace
from tvnsearch.genome.layer_calls import MOST_ATTENDED_POSITIONS
from tvnsearch.genome.layers import Branches, NonLocal, SpatialConv, SpatialPool
from tvnsearch.genome.membership import outside, presets_around
from tvnsearch.genome.mutation import OPERATORS, mutate
from tvnsearch.genome.sampling import sample_genome, with_affordable_attention
from tvnsearch.genome.space import PRESETS, IntRange, SearchSpace, load_space
from tvnsearch.genome.zoo import load_zoo

SPACES = {name: load_space(name) for name in PRESETS}


def assert_inside(genome: Genome, space: SearchSpace) -> None:
    assert genome.input.short_side in space.resolution
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
                    "frames": space.packed_frames,
                    "form": space.non_local_forms,
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
    assert {genome.input.height for genome in drawn} == set(range(32, 321, 32))
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


@pytest.mark.parametrize("name", ["tvn-1", "tvn-2", "tvn-3", "tvn-4", "tvn-m-1", "tvn-m-2"])
def test_every_released_network_lies_inside_a_preset(name: str) -> None:
    genome = load_zoo(name)
    assert "released" in presets_around(genome)
    assert_inside(genome, SPACES["released"])


def test_what_lies_outside_a_space_is_named() -> None:
    assert outside(load_zoo("tvn-3"), SPACES["paper"])[-1].endswith("filters 2560")
    wide = replace(load_zoo("tvn-1"), input=InputSpec(224, 400, 2, 4), head="per_frame")
    assert outside(wide, SPACES["released"]) == ["frames of 400x224 pixels", "head per_frame"]
    assert "block 2 layer 1: branches" in outside(load_zoo("s3d"), SPACES["paper"])


@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
def test_what_is_drawn_lies_inside(name: str, seed: int) -> None:
    assert outside(sample_genome(SPACES[name], random.Random(seed)), SPACES[name]) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "frame_stride = { min = 20, max = 25 }\n",
            "128 frames, each 20 .* span 2541; raise max_span_frames",
        ),
        ("frames = { min = 2, max = 9, step = 4 }\nmax_span_frames = 5\n", "6 frames, each 1 .* span 6;"),
        ("frames = { min = 1, max = 1 }\nmax_span_frames = 0\n", "1 frames, each 1 .* span 1;"),
    ],
)
def test_a_space_whose_clips_must_span_too_much_is_a_sentence(
    text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        load_space(str(tmp_path / "space.toml"))


def test_a_space_whose_longest_clip_just_fits_is_one(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        "frames = { min = 2, max = 6 }\nframe_stride = { min = 3, max = 9 }\nmax_span_frames = 16\n"
    )
    assert load_space(str(path)).frame_strides(6).fixed


def test_frames_have_the_shape_that_a_space_gives(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(
        "input = { width = 1920, height = 1080 }\nresolution = { min = 90, max = 180, step = 90 }\n"
    )
    space, rng = load_space(str(path)), random.Random(0)
    genomes = [sample_genome(space, rng) for _ in range(30)]
    genomes += [mutate(genome, space, rng) for genome in genomes]
    assert {(genome.input.width, genome.input.height) for genome in genomes} == {(160, 90), (320, 180)}
    assert {trace(genome).in_shape[1:3] for genome in genomes} == {(90, 160), (180, 320)}
    path.write_text("input = { width = 9, height = 16 }\nresolution = { min = 90, max = 90 }\n")
    assert sample_genome(load_space(str(path)), rng).input.size == "90x160"
    path.write_text("input = { width = 1000, height = 1 }\n")
    with pytest.raises(UserError, match=r"at most 2 to 1, as videos are kept, got 1000 to 1 .*\$\.input"):
        load_space(str(path))
    path.write_text("input = { width = 2, height = 1 }\nresolution = { min = 90, max = 4096 }\n")
    with pytest.raises(UserError, match=r"at most 4096 pixels a side"):
        load_space(str(path))


def test_blocks_by_softmax_are_drawn_where_they_can_be_built() -> None:
    """On maps with too many positions their other form stands instead; both are found by mutation."""
    space = replace(SPACES["mobile"], layer_types=("non_local", "spatial_conv"), frames=IntRange(1, 16))
    rng = random.Random(1)
    forms: set[str] = set()
    for _ in range(200):
        genome = sample_genome(space, rng)
        for drawn in (genome, mutate(genome, space, rng)):
            for call in trace(drawn).calls:
                if call.type == "non_local" and call.mode == "softmax":
                    assert call.in_shape.positions <= MOST_ATTENDED_POSITIONS
                if call.type == "non_local":
                    forms.add(call.mode)
    assert forms == {"", "softmax"}


def test_a_branch_that_strides_in_the_first_repeat_alone_is_asked_about_the_others() -> None:
    """Behind a stride of 8 a map of 128 has 256 positions; in the second repeat nothing strides."""
    fork = Branches(
        "concat", ((SpatialConv(4),), (SpatialPool("max", 3, 8), NonLocal(4, "embedded_gaussian")))
    )
    genome = Genome(square_input(128, 1), (Block((fork,), repeats=2),))
    with pytest.raises(UserError, match="positions"):
        trace(genome)
    affordable = with_affordable_attention(genome)
    assert {call.mode for call in trace(affordable).calls if call.type == "non_local"} == {""}
    once = Genome(genome.input, (Block((fork,)),))
    assert with_affordable_attention(once) == once
