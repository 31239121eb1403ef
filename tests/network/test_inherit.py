"""Inherited weights: what claims to preserve the parent's function is run beside the parent."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor, nn

from tests.genome.strategies import MOBILE, genomes
from tvnsearch.genome import Block, Genome
from tvnsearch.genome.genome import square_input
from tvnsearch.genome.layers import (
    Branches,
    ChannelTimeLearning,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv,
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
    TemporalShift,
)
from tvnsearch.genome.mutation import OPERATORS
from tvnsearch.genome.space import IntRange
from tvnsearch.network import TinyVideoNetwork, build_network
from tvnsearch.network.inherit import Inheritance, inherit
from tvnsearch.training.inheriting import inherit_weights
from tvnsearch.training.weights import load_weights, save_weights

CLASSES = 5

SMALL = replace(
    MOBILE,
    resolution=IntRange(8, 16, 8),
    frames=IntRange(1, 4),
    filters=IntRange(8, 24, 4),
    bottleneck=IntRange(4, 16),
    blocks=IntRange(1, 3),
    repeats=IntRange(1, 3),
    layers=IntRange(1, 3),
    kernel=IntRange(1, 5),
    stride=IntRange(1, 2),
)


def _trained(genome: Genome, seed: int = 0) -> TinyVideoNetwork:
    """A network in which nothing is at its initial value any more, BatchNorm statistics included."""
    torch.manual_seed(seed)
    network = build_network(genome, CLASSES)
    for values in network.parameters():
        nn.init.kaiming_normal_(values) if values.dim() > 1 else nn.init.uniform_(values, -0.5, 1.0)
    for name, values in network.named_buffers():
        if name.endswith("running_var"):
            nn.init.uniform_(values, 0.5, 2.0)
        elif name.endswith("running_mean"):
            nn.init.normal_(values)
    return network.eval()


def _inherited(parent: Genome, child: Genome, seed: int = 0) -> tuple[Inheritance, Tensor, Tensor]:
    network = _trained(parent)
    inheritance = inherit(parent, network.state_dict(), child, CLASSES, seed)
    heir = build_network(child, CLASSES).eval()
    heir.load_state_dict(inheritance.weights)
    spec = child.input
    clips = torch.rand(2, spec.frames, spec.height, spec.width, 3)
    with torch.inference_mode():
        same_input = replace(parent.input, frame_stride=1) == replace(spec, frame_stride=1)
        return inheritance, heir(clips), network(clips) if same_input else torch.empty(0)


def _assert_same_function(parent: Genome, child: Genome) -> Inheritance:
    inheritance, logits, expected = _inherited(parent, child)
    if not expected.isfinite().all():
        reject()  # non-local blocks in a row cube their inputs again and again
    scale = expected.abs().max().clamp(min=1e-3).item()
    torch.testing.assert_close(logits / scale, expected / scale, rtol=0, atol=2e-4)
    return inheritance


def _genome(*layers: Layer, **block: object) -> Genome:
    return Genome(square_input(12, 4), (Block(layers, **block),))  # type: ignore[arg-type]


RELU_CONV = SpatialConv(8, 3, 1, "relu")
STRIDED = SpatialConv(8, 3, 2, "relu")

PRESERVED: dict[str, tuple[Genome, Genome]] = {
    "wider": (_genome(STRIDED, RELU_CONV), _genome(replace(STRIDED, filters=12), RELU_CONV)),
    "wider last": (_genome(RELU_CONV), _genome(replace(RELU_CONV, filters=12))),
    "wider before depthwise": (
        _genome(RELU_CONV, DepthwiseConv(3), RELU_CONV),
        _genome(replace(RELU_CONV, filters=16), DepthwiseConv(3), RELU_CONV),
    ),
    "wider before gates": (
        _genome(RELU_CONV, ContextGate(), SqueezeExcite(0.5), NonLocal(4)),
        _genome(replace(RELU_CONV, filters=20), ContextGate(), SqueezeExcite(0.4), NonLocal(4)),
    ),
    "wider before packing": (
        _genome(RELU_CONV, FramePacking(2), RELU_CONV),
        _genome(replace(RELU_CONV, filters=11), FramePacking(2), RELU_CONV),
    ),
    "wider channel-time learning": (
        _genome(RELU_CONV, ContextGate(), ChannelTimeLearning(8, "relu"), RELU_CONV),
        _genome(replace(RELU_CONV, filters=11), ContextGate(), ChannelTimeLearning(13, "relu"), RELU_CONV),
    ),
    "channel-time learning behind a new gate": (
        _genome(RELU_CONV, ChannelTimeLearning(8), RELU_CONV),
        _genome(RELU_CONV, ContextGate(), ChannelTimeLearning(8), RELU_CONV),
    ),
    "wider by softmax": (
        _genome(STRIDED, NonLocal(4, "embedded_gaussian"), RELU_CONV),
        _genome(replace(STRIDED, filters=10), NonLocal(7, "embedded_gaussian"), RELU_CONV),
    ),
    "larger kernel": (_genome(STRIDED), _genome(replace(STRIDED, kernel=5))),
    "from an even kernel": (
        _genome(SpatialConv(8, 2, 1, "relu"), TemporalConv(8, 2)),
        _genome(SpatialConv(8, 5, 1, "relu"), TemporalConv(8, 4)),
    ),
    "larger 3-D kernel": (_genome(Conv3d(8, 3, 2, 2)), _genome(Conv3d(8, 5, 4, 2))),
    "larger hidden": (
        _genome(RELU_CONV, SqueezeExcite(1.0), NonLocal(4)),
        _genome(RELU_CONV, SqueezeExcite(1.0), NonLocal(9)),
    ),
    "inserted convolution": (_genome(STRIDED), _genome(STRIDED, replace(RELU_CONV, filters=11))),
    "inserted even kernel": (_genome(STRIDED), _genome(STRIDED, SpatialConv(9, 4), TemporalConv(10, 2))),
    "inserted depthwise": (_genome(STRIDED), _genome(STRIDED, DepthwiseConv(5), TemporalDepthwiseConv(3))),
    "inserted dense": (_genome(STRIDED), _genome(STRIDED, Dense(12))),
    "inserted non-local": (_genome(STRIDED), _genome(STRIDED, NonLocal(8))),
    "inserted gates": (
        _genome(STRIDED, SpatialPool("max", 3), TemporalConv(8, 3)),
        _genome(STRIDED, ContextGate(), SpatialPool("max", 3), SqueezeExcite(0.5), TemporalConv(8, 3)),
    ),
    "inserted gate before non-local": (
        _genome(STRIDED, NonLocal(4)),
        _genome(STRIDED, ContextGate(), NonLocal(4)),
    ),
    "inserted inverted residual": (
        _genome(STRIDED),
        _genome(STRIDED, InvertedResidual(8, 2.0, 3), TemporalInvertedResidual(8, 2.0, 3)),
    ),
    "wider inverted residual": (
        _genome(STRIDED, InvertedResidual(8, 2.0, 3)),
        _genome(STRIDED, InvertedResidual(8, 3.0, 5)),
    ),
    "more repeats, identities": (_genome(STRIDED), _genome(STRIDED, repeats=3)),
    "more repeats, residual": (
        _genome(STRIDED, TemporalConv(8, 3), residual="identity"),
        _genome(STRIDED, TemporalConv(8, 3), residual="identity", repeats=2),
    ),
    "more repeats, projection": (
        _genome(STRIDED, TemporalConv(8, 3), residual="projection", activation="relu"),
        _genome(STRIDED, TemporalConv(8, 3), residual="projection", activation="relu", repeats=2),
    ),
    "wider with projection": (
        _genome(STRIDED, residual="projection"),
        _genome(replace(STRIDED, filters=12), residual="projection"),
    ),
    "projection where there was none": (
        _genome(SpatialConv(8, 3), activation="swish"),
        _genome(SpatialConv(8, 3), activation="swish", residual="projection"),
    ),
    "projection where there was an identity": (
        _genome(SpatialConv(3, 3), activation="relu", residual="identity"),
        _genome(SpatialConv(3, 3), activation="relu", residual="projection"),
    ),
    "wider in a branch": (
        _genome(Branches("concat", ((RELU_CONV,), (SpatialConv(4, 1),))), RELU_CONV),
        _genome(Branches("concat", ((replace(RELU_CONV, filters=12),), (SpatialConv(4, 1),))), RELU_CONV),
    ),
    "frame stride": (
        _genome(TemporalShift(0.25), STRIDED),
        replace(_genome(TemporalShift(0.25), STRIDED), input=square_input(12, 4, 3)),
    ),
    "inserted residual channel-time learning": (
        Genome(square_input(12, 4), (Block((STRIDED,)),)),
        Genome(
            square_input(12, 4),
            (Block((STRIDED,)), Block((ChannelTimeLearning(8),), residual="identity", activation="relu")),
        ),
    ),
    "inserted block": (
        Genome(square_input(12, 4), (Block((STRIDED,)), Block((TemporalConv(12, 3),)))),
        Genome(
            square_input(12, 4),
            (
                Block((STRIDED,)),
                Block((RELU_CONV, SqueezeExcite(0.5)), residual="identity", repeats=2, activation="relu"),
                Block((TemporalConv(12, 3),)),
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", PRESERVED)
def test_the_child_computes_what_its_parent_does(name: str) -> None:
    parent, child = PRESERVED[name]
    inheritance = _assert_same_function(parent, child)
    assert inheritance.preserves_function
    assert 0 < inheritance.share <= 1


@given(genomes(SMALL), st.sampled_from(sorted(OPERATORS)), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_whatever_says_that_it_preserves_the_function_does(parent: Genome, operator: str, seed: int) -> None:
    rng = random.Random(seed)
    child = OPERATORS[operator](parent, SMALL, rng)
    inheritance, logits, _ = _inherited(parent, child)
    assert 0 <= inheritance.share <= 1
    if not logits.isfinite().all():
        reject()
    if inheritance.preserves_function:
        _assert_same_function(parent, child)


@given(genomes(SMALL))
@settings(max_examples=20, deadline=None)
def test_a_copy_inherits_everything(parent: Genome) -> None:
    inheritance = _assert_same_function(parent, parent)
    assert inheritance.preserves_function
    assert inheritance.share == 1


NOT_PRESERVED: dict[str, tuple[Genome, Genome]] = {
    "narrower": (_genome(STRIDED, RELU_CONV), _genome(replace(STRIDED, filters=6), RELU_CONV)),
    "smaller kernel": (_genome(STRIDED), _genome(replace(STRIDED, kernel=2))),
    "another stride": (_genome(STRIDED), _genome(RELU_CONV)),
    "a layer less": (_genome(STRIDED, RELU_CONV), _genome(STRIDED)),
    "inserted pool": (_genome(STRIDED), _genome(STRIDED, SpatialPool("avg", 3))),
    "another input": (_genome(STRIDED), replace(_genome(STRIDED), input=square_input(12, 2))),
    "inserted channel-time learning": (
        _genome(STRIDED, SpatialConv(300, 5)),
        _genome(STRIDED, ChannelTimeLearning(9), SpatialConv(300, 5)),
    ),
    "narrower channel-time learning": (
        _genome(RELU_CONV, ChannelTimeLearning(12), RELU_CONV),
        _genome(RELU_CONV, ChannelTimeLearning(7), RELU_CONV),
    ),
    "channel-time learning on another map": (
        _genome(RELU_CONV, ChannelTimeLearning(8)),
        replace(_genome(RELU_CONV, ChannelTimeLearning(8)), input=square_input(3, 4)),
    ),
    "activation added": (_genome(SpatialConv(8, 3)), _genome(SpatialConv(8, 3, activation="relu"))),
    "residual added": (_genome(SpatialConv(3, 3)), _genome(SpatialConv(3, 3), residual="identity")),
}


@pytest.mark.parametrize("name", NOT_PRESERVED)
def test_what_overlaps_is_inherited_where_the_function_cannot_be(name: str) -> None:
    inheritance = _inherited(*NOT_PRESERVED[name])[0]
    assert not inheritance.preserves_function
    assert inheritance.share > 0.3


def test_what_lies_before_the_change_is_kept_as_it_was_and_the_rest_is_shrunk_and_mixed() -> None:
    parent, child = _genome(STRIDED, RELU_CONV), _genome(STRIDED, replace(RELU_CONV, stride=2))
    network = _trained(parent)
    weights = inherit(parent, network.state_dict(), child, CLASSES, seed=0).weights
    other = inherit(parent, network.state_dict(), child, CLASSES, seed=1).weights
    first, second = [name for name in weights if name.endswith("conv.weight")]
    assert torch.equal(weights[first], network.state_dict()[first])
    kept = torch.corrcoef(torch.stack([weights[second].flatten(), network.state_dict()[second].flatten()]))
    assert 0.5 < kept[0, 1] < 0.999
    assert not torch.equal(weights[second], other[second])


def _differs(state: Callable[[int], dict[str, Tensor]]) -> bool:
    first, second = state(0), state(1)
    return any(not torch.equal(first[name], second[name]) for name in first)


def test_the_seed_decides_what_is_new_and_nothing_else_does() -> None:
    parent, child = PRESERVED["wider"]
    state = _trained(parent).state_dict()

    def weights(seed: int) -> dict[str, Tensor]:
        return inherit(parent, state, child, CLASSES, seed).weights

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = weights(0)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again) for name, again in weights(0).items())
    assert _differs(weights)


def test_new_parts_learn_from_the_first_step_on() -> None:
    """A child that is stuck in its parent's function would have gained nothing by being larger."""
    parent = _genome(STRIDED, TemporalConv(8, 3, activation="relu"))
    child = _genome(replace(STRIDED, filters=12), ContextGate(), TemporalConv(8, 3, activation="relu"))
    heir = build_network(child, CLASSES)
    heir.load_state_dict(inherit(parent, _trained(parent).state_dict(), child, CLASSES, 0).weights)
    loss = heir(torch.rand(2, 4, 12, 12, 3)).square().sum()
    loss.backward()
    reading = next(values for name, values in heir.named_parameters() if "2.unit.conv.weight" in name)
    assert (reading.grad[:, 8:].abs() > 0).any()  # type: ignore[index]


def test_files_hold_what_was_inherited(tmp_path) -> None:  # type: ignore[no-untyped-def]
    parent, child = PRESERVED["more repeats, residual"]
    network = _trained(parent)
    save_weights(network, tmp_path / "parent.safetensors")
    found = inherit_weights(
        parent, tmp_path / "parent.safetensors", child, tmp_path / "child.safetensors", CLASSES
    )
    assert found.preserves_function
    heir = build_network(child, CLASSES).eval()
    load_weights(heir, tmp_path / "child.safetensors")
    clips = torch.rand(1, 4, 12, 12, 3)
    torch.testing.assert_close(heir(clips), network(clips), rtol=1e-4, atol=1e-4)
