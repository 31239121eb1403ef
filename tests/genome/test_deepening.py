"""Depth: how many repeats a network has in all, which blocks get them, and what that comes to in MACs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.genome.strategies import MOBILE, PAPER, genomes
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.genome.deepening import deepened_repeats
from tvnsearch.genome.scaling import compound_scaled, scaled
from tvnsearch.genome.zoo import load_zoo

DEPTHS = [1 + step / 20 for step in range(61)]

BANDS = {
    # One block a unit, and units of about equal cost; the stem and the head, 6 to 16 % of the MACs, stay.
    **dict.fromkeys(
        ["x3d-s", "mobilenetv3-small", "mobilenetv3-large", "movinet-a0", "tsm-mobilenetv2"], (0.93, 1.06)
    ),
    # Few repeats: one of 7 in TVN-1 is up to 28 % of the MACs, one of 9 in R(2+1)D-18 is 27 %.
    **dict.fromkeys(["tvn-1", "tvn-2", "tvn-3", "tvn-4", "r2plus1d-18", "r2plus1d-34"], (0.88, 1.12)),
    # The stem, 18 % of the MACs, and what downsamples stay.
    "squeezetime": (0.86, 1.01),
    # Two layers before a stride cost 78 % of the MACs; one more repeat of their block, behind it, 6 %.
    "tvn-m-1": (0.45, 1.0),
}
"""How far the growth of the MACs may lie from the depth, as a ratio."""

COMPOUND_BANDS = {
    # A step is 1.92 for dense and 1.75 for depthwise layers at best; sizes are rounded to multiples of 8.
    **dict.fromkeys(BANDS, (0.79, 1.06)),
    "tvn-m-1": (0.63, 0.96),
}
"""How far the growth of the MACs may lie from a doubling a step, as a ratio."""


def macs(genome: Genome) -> int:
    return trace(genome).macs


@pytest.mark.parametrize("name", BANDS)
def test_depth_multiplies_the_macs_by_about_as_much(name: str) -> None:
    genome = load_zoo(name)
    grown = [macs(scaled(genome, depth=depth)) for depth in DEPTHS]
    ratios = [count / macs(genome) / depth for count, depth in zip(grown, DEPTHS, strict=True)]
    lowest, highest = BANDS[name]
    assert lowest <= min(ratios)
    assert max(ratios) <= highest
    assert grown == sorted(grown)
    assert grown[-1] > grown[0]


@pytest.mark.parametrize("name", COMPOUND_BANDS)
def test_each_number_of_compound_steps_doubles_the_macs_about_as_often(name: str) -> None:
    genome = load_zoo(name)
    steps = (0.5, 1, 2, 3)
    grown = [macs(compound_scaled(genome, step)) for step in steps]
    ratios = [count / macs(genome) / 2**step for count, step in zip(grown, steps, strict=True)]
    lowest, highest = COMPOUND_BANDS[name]
    assert lowest <= min(ratios)
    assert max(ratios) <= highest
    assert grown == sorted(grown)


@given(genomes(PAPER) | genomes(MOBILE), st.floats(0.05, 6))
def test_a_network_has_the_repeats_that_were_asked_for(genome: Genome, depth: float) -> None:
    repeats = deepened_repeats(genome, depth)
    assert sum(repeats) == max(round(sum(block.repeats for block in genome.blocks) * depth), len(repeats))
    assert min(repeats) >= 1


@given(genomes(PAPER) | genomes(MOBILE), st.floats(0.05, 6), st.floats(0.05, 6))
def test_no_block_loses_repeats_when_the_depth_grows(genome: Genome, one: float, other: float) -> None:
    shallower, deeper = (deepened_repeats(genome, depth) for depth in sorted([one, other]))
    assert all(few <= many for few, many in zip(shallower, deeper, strict=True))


@given(genomes(MOBILE), st.sampled_from([1, 2, 4]))
def test_a_whole_depth_multiplies_each_block_that_is_written_with_repeats(genome: Genome, depth: int) -> None:
    blocks = tuple(replace(block, repeats=block.repeats + 1) for block in genome.blocks)
    written = Genome(genome.input, blocks, genome.head)
    assert deepened_repeats(written, depth) == [depth * block.repeats for block in blocks]


@pytest.mark.parametrize(("depth", "identity"), [(2, "b26a630a1f40300f"), (4, "04bf3f73bb7abbe4")])
def test_tvn_1_is_as_deep_as_with_each_block_of_the_paper_repeated(depth: int, identity: str) -> None:
    """The ids are of the network with its block 1 as one block of two repeats."""
    tvn_1 = load_zoo("tvn-1")
    assert genome_id(scaled(tvn_1, depth=depth)) == genome_id(load_zoo(f"tvn-1-{depth}x-deep")) == identity


@pytest.mark.parametrize(
    ("name", "single"),
    [
        ("x3d-s", {"stem": 0, "strided": 1, "head": -1}),
        ("mobilenetv3-small", {"stem": 0, "strided": 2, "head": -1}),
        ("mobilenetv3-large", {"stem": 0, "strided": 2, "head": -1}),
        ("movinet-a0", {"stem": 0, "strided": 2, "head": -1}),
        ("tsm-mobilenetv2", {"stem": 0, "strided": 2, "head": -1}),
        ("r2plus1d-34", {"stem": 0, "strided": 3}),
    ],
)
def test_what_is_no_unit_of_a_stage_stays_single(name: str, single: dict[str, int]) -> None:
    repeats = deepened_repeats(load_zoo(name), 3)
    assert {part: repeats[place] for part, place in single.items()} == dict.fromkeys(single, 1)


def test_no_stage_has_more_than_its_share_rounded_up_and_its_blocks_share_alike() -> None:
    """X3D has 3, 5, 11 and 7 units; with its stem and its head, depth 2 makes 28 into 56."""
    repeats = deepened_repeats(load_zoo("x3d-s"), 2)
    stages = [repeats[start:end] for start, end in pairwise((1, 4, 9, 20, 27))]
    shares = [54 * units / 26 for units in (3, 5, 11, 7)]
    assert all(sum(stage) < share + 1 for stage, share in zip(stages, shares, strict=True))
    assert [sum(stage) for stage in stages] == pytest.approx(shares, abs=1)
    assert all(max(stage[1:]) - min(stage[1:]) <= 1 for stage in stages)


@pytest.mark.parametrize(("name", "depth"), [("r2plus1d-34", 0.75), ("tvn-2", 0.75), ("tvn-2", 0.1)])
def test_a_network_becomes_shallower_down_to_one_repeat_a_block(name: str, depth: float) -> None:
    genome = load_zoo(name)
    repeats = deepened_repeats(genome, depth)
    assert all(few <= block.repeats for few, block in zip(repeats, genome.blocks, strict=True))
    assert macs(scaled(genome, depth=depth)) < macs(genome)
    assert (depth > 0.1) or repeats == [1] * len(repeats)
