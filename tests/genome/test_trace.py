from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.genome.strategies import MOBILE, PAPER, genomes
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, InputSpec, Shape, genome_id, square_input, trace
from tvnsearch.genome.layers import (
    Activate,
    Branches,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv3d,
    FramePacking,
    InvertedResidual,
    Layer,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalInvertedResidual,
    TemporalPool,
    TemporalShift,
)
from tvnsearch.genome.trace import Node, Parallel
from tvnsearch.genome.zoo import load_zoo, zoo


def _end_of(nodes: Sequence[Node], shape: Shape) -> Shape:
    """Where a walk from ``shape`` through ``nodes`` ends; every call starts where the one before it ended."""
    for node in nodes:
        if isinstance(node, Parallel):
            ends = [_end_of(branch, shape) for branch in node.branches]
            assert len({end[:3] for end in ends}) == 1
            channels = [end.channels for end in ends]
            if node.join.type == "concat":
                assert node.join.out_shape == ends[0]._replace(channels=sum(channels))
            else:
                assert node.join.out_shape == ends[0] == ends[1]
            shape = node.join.out_shape
        else:
            assert node.in_shape == shape
            assert min(node.out_shape) >= 1
            shape = node.out_shape
    return shape


def _types(genome: Genome) -> list[str]:
    return [call.type for call in trace(genome).calls]


def _one_block(*layers, frames: int = 4, resolution: int = 32, **block) -> Genome:
    return Genome(square_input(resolution, frames), (Block(layers, **block),))


def test_strides_act_in_the_first_repeat_only() -> None:
    genome = _one_block(SpatialConv(16, 3, 2), repeats=3)
    assert [call.out_shape.height for call in trace(genome).calls[:3]] == [16, 16, 16]


def test_a_known_convolution_is_counted_by_hand() -> None:
    call = trace(_one_block(SpatialConv(16, 3, 2, "relu"))).calls[0]
    assert call.in_shape == Shape(4, 32, 32, 3)
    assert call.out_shape == Shape(4, 16, 16, 16)
    assert call.params == 3 * 3 * 3 * 16 + 2 * 16
    assert call.macs == 3 * 3 * 3 * 16 * 4 * 16 * 16
    assert call.bytes_moved == 4 * (4 * 32 * 32 * 3 + 4 * 16 * 16 * 16 + call.params)


def test_a_head_for_each_frame_is_counted_for_each_frame() -> None:
    genome = _one_block(SpatialConv(16, 3, 2))
    mean, per_frame = (trace(replace(genome, head=head), 10).head for head in ("mean", "per_frame"))
    assert (mean.params, mean.macs) == (16 * 10 + 10, 16 * 10)
    assert (per_frame.params, per_frame.macs) == (16 * 10 + 10, 4 * 16 * 10)
    assert per_frame.bytes_moved == mean.bytes_moved + 4 * 2 * 4 * 10
    single = _one_block(SpatialConv(16), TemporalPool("avg", 4, 4))
    assert trace(replace(single, head="per_frame")).head == trace(single).head


def test_what_does_nothing_is_not_called() -> None:
    assert _types(_one_block(SpatialPool("max", 1), TemporalPool("avg", 1))) == ["head"]
    assert _types(_one_block(TemporalConv(64, 3), TemporalPool("avg", 3, 2), frames=1)) == ["head"]
    assert _types(_one_block(SpatialPool("avg", 3), resolution=1)) == ["head"]


def test_a_relu_on_what_is_not_negative_is_not_called() -> None:
    after_relu = _one_block(SpatialConv(8, activation="relu"), SqueezeExcite(0.5), activation="relu")
    after_linear = _one_block(SpatialConv(8), ContextGate(), activation="relu")
    assert "activation" not in _types(after_relu)
    assert "activation" in _types(after_linear)


def test_shortcuts_exist_only_where_shapes_allow() -> None:
    conv = SpatialConv(16, 3, 2)
    assert "add" not in _types(_one_block(conv, residual="identity"))
    assert _types(_one_block(conv, residual="identity", repeats=2)).count("add") == 1
    assert _types(_one_block(conv, residual="projection", repeats=2)).count("add") == 2
    assert "add" not in _types(_one_block(conv, TemporalPool("max", 2, 2), residual="projection"))


def test_an_activation_ends_the_call_before_it() -> None:
    assert _types(_one_block(SpatialConv(8), activation="hswish")) == ["spatial_conv", "head"]
    assert _types(_one_block(SpatialConv(8), Activate("relu"), ContextGate())) == [
        "spatial_conv",
        "context_gate",
        "head",
    ]
    assert _types(_one_block(SpatialConv(8), ContextGate(), Activate("swish"))) == [
        "spatial_conv",
        "context_gate",
        "activation",
        "head",
    ]


def test_inverted_residuals_are_three_convolutions_and_a_shortcut() -> None:
    stem = SpatialConv(8)
    assert _types(_one_block(stem, InvertedResidual(8, 6, 3)))[1:-1] == [
        "spatial_conv",
        "depthwise_conv",
        "spatial_conv",
        "add",
    ]
    assert _types(_one_block(stem, InvertedResidual(8, 1, 3, stride=2)))[1:-1] == [
        "depthwise_conv",
        "spatial_conv",
    ]
    over_time = _one_block(stem, TemporalInvertedResidual(8, 2, 3))
    assert "temporal_depthwise_conv" in _types(over_time)
    assert _types(_one_block(stem, TemporalInvertedResidual(16, 2, 3), frames=1)) == ["spatial_conv", "head"]


def test_3d_convolutions_that_are_flat_are_flattened() -> None:
    assert _types(_one_block(Conv3d(8, 3, 3)))[0] == "conv3d"
    assert _types(_one_block(Conv3d(8, 3, 1, 1, 2)))[:-1] == ["temporal_pool", "spatial_conv"]
    assert _types(_one_block(Conv3d(8, 1, 3, 2, 1)))[:-1] == ["spatial_pool", "temporal_conv"]
    assert _types(_one_block(DepthwiseConv3d(3, 5), frames=1))[0] == "depthwise_conv"
    assert _types(_one_block(TemporalDepthwiseConv(3), TemporalShift(0.4), frames=1)) == ["head"]


def test_branches_that_cannot_meet_are_left_out() -> None:
    apart = _one_block(Branches("sum", ((SpatialConv(8),), (SpatialConv(9),))))
    assert _types(apart) == ["spatial_conv", "head"]
    pools = Branches("concat", ((SpatialConv(8, 3, 2),), (SpatialPool("max", 3, 2),), (Dense(4),)))
    network = trace(_one_block(pools))
    assert [call.type for call in network.calls] == ["spatial_conv", "spatial_pool", "concat", "head"]
    assert network.head.in_shape.channels == 8 + 3
    assert _types(_one_block(Branches("sum", ((NonLocal(4),), ())), frames=1)) == ["non_local", "add", "head"]


def test_a_network_beyond_all_counting_is_one_sentence() -> None:
    doubled = Branches("concat", ((SpatialPool("max", 3),), ()))
    with pytest.raises(UserError, match="2\\^64"):
        trace(_one_block(*[doubled] * 64))


def test_one_window_over_the_whole_map_is_the_global_pool() -> None:
    whole, beyond = (trace(_one_block(SpatialPool("avg", kernel, 32))).calls[0] for kernel in (32, 50))
    assert whole == beyond


@given(st.one_of(genomes(PAPER), genomes(MOBILE), st.sampled_from(sorted(zoo())).map(load_zoo)))
def test_sums_are_the_sums_of_calls_and_shapes_chain(genome: Genome) -> None:
    network = trace(genome)
    calls = network.calls
    assert network.params == sum(call.params for call in calls)
    assert network.macs == sum(call.macs for call in calls)
    assert network.bytes_moved == sum(call.bytes_moved for call in calls)
    shape = network.in_shape
    for block in network.blocks:
        for repeat in block.repeats:
            assert _end_of(repeat.nodes, shape) == repeat.out_shape
            shape = repeat.out_shape
    assert network.head.in_shape == shape
    names = [name for name, _ in network.named_calls()]
    assert len(set(names)) == len(names)


def _counts(*layers: Layer, frames: int = 4, resolution: int = 32, repeats: int = 1) -> tuple[int, int]:
    traced = trace(_one_block(*layers, frames=frames, resolution=resolution, repeats=repeats), 10)
    return traced.params, traced.macs


def test_taps_that_only_meet_padding_are_not_counted() -> None:
    assert _counts(SpatialConv(8, 8), resolution=2) == _counts(SpatialConv(8, 3), resolution=2)
    assert _counts(SpatialConv(8, 8), resolution=3) == _counts(SpatialConv(8, 5), resolution=3)
    assert _counts(SpatialConv(8, 7), resolution=1) == _counts(SpatialConv(8, 1), resolution=1)
    assert _counts(TemporalConv(8, 8), frames=2) == _counts(TemporalConv(8, 3), frames=2)
    # a single output sees the map once, whatever the kernel
    assert _counts(SpatialConv(8, 8, 4), resolution=4) == _counts(SpatialConv(8, 4, 4), resolution=4)
    wide = Genome(InputSpec(2, 4, 2), (Block((SpatialConv(8, 7),)),))
    assert trace(wide, 10).calls[0].params == 3 * 7 * 3 * 8 + 2 * 8


def test_kernels_that_see_the_same_are_the_same_individual() -> None:
    def same(one: Layer, other: Layer, **sizes: int) -> bool:
        return genome_id(_one_block(one, **sizes)) == genome_id(_one_block(other, **sizes))  # type: ignore[arg-type]

    assert same(SpatialConv(8, 8), SpatialConv(8, 3), resolution=2)
    assert not same(SpatialConv(8, 8), SpatialConv(8, 4), resolution=4)
    for kernel in (15, 16, 64):
        assert same(SpatialPool("avg", 8, 8), SpatialPool("avg", kernel, 8), resolution=8)
    assert same(Conv3d(8, 3, 3), TemporalConv(8, 3), resolution=1)
    assert same(DepthwiseConv3d(5, 3, 2), TemporalDepthwiseConv(3), resolution=1)
    assert same(FramePacking(4), FramePacking(9), frames=4)
    assert not same(NonLocal(4), NonLocal(4, "embedded_gaussian"), resolution=8)


def test_a_branch_that_a_stride_keeps_out_is_joined_in_later_repeats() -> None:
    fork = Branches("concat", ((SpatialConv(3),), (SpatialPool("max", 3, 2),)))
    assert _types(_one_block(fork, repeats=3)) == [
        "spatial_conv",
        *("spatial_conv", "spatial_pool", "concat") * 2,
        "head",
    ]
    calls = trace(_one_block(fork, repeats=2)).calls
    assert [call.stride for call in calls if call.type == "spatial_pool"] == [1]


def test_too_many_positions_for_a_softmax_are_refused_in_one_sentence() -> None:
    genome = _one_block(NonLocal(4, "embedded_gaussian"), frames=8, resolution=64)
    with pytest.raises(
        UserError, match=r"at most 4,096 positions .* but got 32,768 .* dot_product"
    ) as refusal:
        trace(genome)
    assert "\n" not in str(refusal.value)
    trace(_one_block(NonLocal(4, "embedded_gaussian"), frames=4, resolution=32))


def test_all_pairs_of_positions_count_in_the_form_by_softmax() -> None:
    [by_softmax, _] = trace(_one_block(NonLocal(4, "embedded_gaussian"), frames=2, resolution=8)).calls
    positions = 2 * 8 * 8
    # four 1x1 convolutions, and two products of every position with every other, 4 values each
    assert by_softmax.macs == positions * 4 * 3 * 4 + 2 * positions * positions * 4


@pytest.mark.parametrize(
    ("layers", "types"),
    [
        ((SpatialConv(4, 3, activation="relu6"), Activate("relu6")), ["spatial_conv"]),
        ((SpatialConv(4, 3, activation="relu"), ContextGate(), Activate("hswish"), Activate("relu")), 3),
        ((SpatialConv(4, 3, activation="relu"), Activate("swish"), Activate("relu")), 2),
        ((SpatialConv(4, 3, activation="swish"), Activate("relu")), 2),
        ((SpatialConv(4, 3, activation="relu6"), ContextGate(), Activate("relu6")), 3),
    ],
)
def test_an_activation_that_changes_nothing_is_not_executed(
    layers: tuple[Layer, ...], types: list[str] | int
) -> None:
    found = _types(_one_block(*layers))[:-1]
    assert found == types or len(found) == types
