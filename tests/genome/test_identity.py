from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.genome.strategies import DIGITS, genomes
from tvnsearch.genome import Block, Genome, InputSpec, genome_id, square_input, trace
from tvnsearch.genome.layers import Activate, SpatialConv, SpatialPool, TemporalConv, TemporalPool
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.zoo import load_zoo

CONV = SpatialConv(16, 3, 2, "relu")
INPUT = square_input(32, 4)


def _genome(*blocks: Block, spec: InputSpec = INPUT) -> Genome:
    return Genome(spec, blocks)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_genome(Block((CONV,))), _genome(Block((CONV, SpatialPool("max", 1))))),
        (_genome(Block((CONV,), activation="relu")), _genome(Block((CONV,)))),
        (_genome(Block((CONV, CONV))), _genome(Block((CONV,)), Block((CONV,)))),
        (_genome(Block((SpatialPool("avg", 1, 2),))), _genome(Block((SpatialPool("max", 1, 2),)))),
        (_genome(Block((TemporalConv(8, 1),))), _genome(Block((SpatialConv(8),)))),
        (
            _genome(Block((CONV, TemporalPool("avg", 3))), spec=square_input(32, 1, 5)),
            _genome(Block((CONV,)), spec=square_input(32, 1, 1)),
        ),
        (_genome(Block((SpatialConv(8, 1, 40),))), _genome(Block((SpatialConv(8, 1, 32),)))),
        (
            _genome(Block((CONV,), activation="relu")),
            _genome(Block((CONV,)), Block((SpatialPool("max", 1),), activation="relu")),
        ),
        (
            _genome(Block((CONV, SpatialConv(16)), residual="identity", activation="hswish")),
            _genome(
                Block((CONV, SpatialConv(16)), residual="identity"),
                Block((Activate("none"),), activation="hswish"),
            ),
        ),
    ],
)
def test_written_differently_executed_alike(one: Genome, other: Genome) -> None:
    assert one != other
    assert genome_id(one) == genome_id(other)


def test_a_shortcut_makes_block_boundaries_count() -> None:
    stay = SpatialConv(16, 3)
    together = _genome(Block((CONV,)), Block((stay, stay), residual="identity"))
    apart = _genome(Block((CONV,)), Block((stay,), residual="identity"), Block((stay,), residual="identity"))
    assert genome_id(together) != genome_id(apart)


def test_the_head_counts_where_frames_reach_it() -> None:
    several, single = _genome(Block((CONV,))), _genome(Block((CONV, TemporalPool("avg", 4, 4))))
    assert genome_id(several) != genome_id(replace(several, head="per_frame"))
    assert genome_id(single) == genome_id(replace(single, head="per_frame"))


def test_frame_stride_counts_with_several_frames() -> None:
    genome = _genome(Block((CONV,)))
    assert genome_id(genome) != genome_id(replace(genome, input=square_input(32, 4, 2)))


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("tvn-1", "c6d346c083b2c686"),
        ("tvn-2", "683b315ea26d242e"),
        ("tvn-3", "08eebb7c9d181cb7"),
        ("tvn-4", "ac87e49380757b76"),
        ("tvn-m-1", "1b7a95de75da5c4c"),
        ("tvn-m-2", "c90046ab603a8390"),
        ("i3d", "7f02c00b7d4a38da"),
        ("movinet-a0", "2df3e8f76b8f3608"),
    ],
)
def test_ids_in_journals_and_databases_stay_right(name: str, identity: str) -> None:
    assert genome_id(load_zoo(name)) == identity


def _executed(genome: Genome) -> list[object]:
    """All calls, activations apart: behind the end of a block they stand alone, elsewhere a call has them."""
    work: list[object] = []
    for call in trace(genome).calls:
        if call.type != "activation":
            inner = call.activation if call.type == "squeeze_excite" else "none"
            work.append(replace(call, activation=inner))
        if call.type != "squeeze_excite" and call.activation != "none":
            work.append(call.activation)
    return work


@given(genomes(), st.integers(0, 2**32))
def test_equal_ids_mean_equal_calls(genome: Genome, seed: int) -> None:
    child = mutate(genome, DIGITS, random.Random(seed))
    same_input = genome.input.frame_stride == child.input.frame_stride or child.input.frames == 1
    if genome_id(genome) == genome_id(child):
        assert _executed(genome) == _executed(child)
    elif same_input and genome.input == child.input:
        assert _executed(genome) != _executed(child) or "identity" in str(genome) + str(child)
