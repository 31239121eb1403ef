from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.genome.strategies import MOBILE, PAPER, genomes
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, InputSpec, genome_id, square_input, trace
from tvnsearch.genome.layers import Branches, Layer, NonLocal
from tvnsearch.genome.scaling import compound_scaled, scaled, with_activation
from tvnsearch.genome.zoo import load_zoo


@given(genomes(PAPER))
def test_factors_of_one_change_nothing(genome: Genome) -> None:
    assert scaled(genome) == genome
    assert compound_scaled(genome, 0) == genome


@given(genomes(replace(MOBILE, non_local_forms=("dot_product",))), st.sampled_from([2, 3]))
def test_whole_factors_multiply(genome: Genome, factor: int) -> None:
    grown = scaled(genome, width=factor, resolution=factor)
    assert grown.input.height == factor * genome.input.height
    for before, after in zip(genome.blocks, grown.blocks, strict=True):
        for old, new in zip(before.layers, after.layers, strict=True):
            for name in ("filters", "bottleneck"):
                assert getattr(new, name, 0) == factor * getattr(old, name, 0)


@given(genomes(PAPER), st.floats(0.3, 3), st.floats(0.3, 3), st.integers(1, 64))
def test_any_factors_make_a_genome_that_can_be_traced(
    genome: Genome, width: float, depth: float, frames: int
) -> None:
    grown = scaled(genome, frames=frames, width=width, depth=depth)
    assert grown.input.frames == frames
    assert trace(grown).params > 0


def test_a_compound_step_about_doubles_the_macs() -> None:
    macs = [trace(compound_scaled(load_zoo("x3d-s"), steps)).macs for steps in range(5)]
    growth = (macs[4] / macs[0]) ** (1 / 4)
    assert growth == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("name", ["i3d", "movinet-a0", "mobilenetv3-small"])
def test_layers_inside_branches_are_scaled_too(name: str) -> None:
    peer = trace(load_zoo(name))
    assert trace(scaled(load_zoo(name), width=2)).params > 3 * peer.params


@pytest.mark.parametrize("name", ["x3d-xs", "mobilenetv3-small", "movinet-a0"])
def test_a_peer_at_another_resolution_still_pools_whole_frames(name: str) -> None:
    calls = trace(scaled(load_zoo(name), resolution=2)).calls
    dense = next(call for call in calls if call.type == "dense")
    assert (dense.in_shape.height, dense.in_shape.width) == (1, 1)


def test_an_activation_is_replaced_everywhere() -> None:
    def activations(layers: tuple[Layer, ...]) -> set[str]:
        found = {getattr(layer, name, "none") for layer in layers for name in ("activation", "function")}
        inside = [branch for layer in layers if isinstance(layer, Branches) for branch in layer.branches]
        return found.union(*(activations(branch) for branch in inside))

    changed = with_activation(load_zoo("movinet-a0"), "swish", "hswish")
    assert set().union(*(activations(block.layers) for block in changed.blocks)) <= {"none", "hswish"}
    assert genome_id(changed) != genome_id(load_zoo("movinet-a0"))


@pytest.mark.parametrize(
    ("factors", "names"),
    [
        ({"width": 0}, "width"),
        ({"depth": -1}, "depth"),
        ({"depth": 1e9}, "repeats"),
        ({"resolution": float("nan")}, "resolution"),
        ({"width": 1000}, "filters"),
        ({"resolution": 100}, "height"),
        ({"frames": 0}, "frames"),
    ],
)
def test_factors_that_make_no_genome_are_refused(factors: dict[str, float], names: str) -> None:
    with pytest.raises(UserError, match=names) as refusal:
        scaled(load_zoo("tvn-1"), **factors)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("factor", [0.5, 1.15, 1.5, 2])
def test_frames_keep_their_proportions(factor: float) -> None:
    wide = replace(load_zoo("tvn-1"), input=InputSpec(180, 320, 2))
    grown = scaled(wide, resolution=factor).input
    assert abs(grown.width - grown.height * 16 / 9) <= 0.5
    assert grown.height == pytest.approx(180 * factor, abs=8)


def test_a_network_that_could_not_be_built_is_refused_before_it_is_written() -> None:
    genome = Genome(square_input(64, 1), (Block((NonLocal(4, "embedded_gaussian"),)),))
    with pytest.raises(UserError, match="at most 4,096 positions"):
        scaled(genome, resolution=2)
