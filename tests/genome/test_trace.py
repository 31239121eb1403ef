from __future__ import annotations

from hypothesis import given

from tests.genome.strategies import PAPER, genomes
from tvnsearch.genome import Block, Genome, InputSpec, Shape, trace
from tvnsearch.genome.layers import (
    ContextGate,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalPool,
)


def _types(genome: Genome) -> list[str]:
    return [call.type for call in trace(genome).calls]


def _one_block(*layers, frames: int = 4, resolution: int = 32, **block) -> Genome:
    return Genome(InputSpec(resolution, frames), (Block(layers, **block),))


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


@given(genomes(PAPER))
def test_sums_are_the_sums_of_calls_and_shapes_chain(genome: Genome) -> None:
    network = trace(genome)
    calls = network.calls
    assert network.params == sum(call.params for call in calls)
    assert network.macs == sum(call.macs for call in calls)
    assert network.bytes_moved == sum(call.bytes_moved for call in calls)
    shape = network.in_shape
    for call in calls:
        if call.type != "add":
            assert call.in_shape == shape
        assert min(call.out_shape) >= 1
        shape = call.out_shape
    names = [name for name, _ in network.named_calls()]
    assert len(set(names)) == len(names)
