"""A network over a stream gives the logits of its clips, and keeps no more than it needs."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.genome.strategies import PAPER
from tests.network.figures import with_figures
from tests.network.plain_stream import logits_over_stream
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import (
    DRAWN_LAYERS,
    Branches,
    ChannelTimeLearning,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv3d,
    FramePacking,
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
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import FloatRange, IntRange
from tvnsearch.genome.streaming import plan_stream
from tvnsearch.genome.trace import trace
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.network import build_network
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.streaming import StreamingNetwork

SMALL = replace(
    PAPER,
    resolution=IntRange(5, 9),
    frames=IntRange(2, 12),
    blocks=IntRange(1, 3),
    repeats=IntRange(1, 2),
    layers=IntRange(1, 3),
    stride=IntRange(1, 3),
    filters=IntRange(2, 8),
    bottleneck=IntRange(2, 4),
    expansion=FloatRange(1.0, 2.0),
    packed_frames=IntRange(2, 4),
    layer_types=tuple(DRAWN_LAYERS),
)
"""All layers over time, in networks that run in no time."""


def trained(genome: Genome) -> TinyVideoNetwork:
    """A network whose norms and zeros do not hide mistakes."""
    return with_figures(build_network(genome, 5))


def streamed(network: TinyVideoNetwork, frames: Tensor, real_frames: int, step_frames: int) -> Tensor:
    """The logits after each step."""
    streaming = StreamingNetwork(network, plan_stream(network.trace), step_frames)
    states, logits = streaming.first_states(), []
    for first in range(0, len(frames), step_frames):
        step = slice(first, first + step_frames)
        real = (torch.arange(len(frames)) < real_frames).float()[step]
        answer, *states = streaming(frames[step], real, *states)
        assert [state.shape for state in states] == [*streaming.state_shapes.values()]
        logits.append(answer[0])
    return torch.stack(logits)


def check(genome: Genome, times: int = 1) -> None:
    """At the end of a clip, and after every step of an endless stream."""
    network, plan = trained(genome), plan_stream(trace(genome, 5))
    clip, step = genome.input.frames, plan.smallest_step * times
    draws = torch.Generator().manual_seed(1)
    steps = plan.steps_of_clip(step) + 2 * -(-clip // step)
    frames = torch.randn(steps * step, *network.trace.in_shape[1:], generator=draws)
    with torch.inference_mode():
        ended = frames[: plan.steps_of_clip(step) * step].clone()
        ended[clip:] = 0
        of_clip = streamed(network, ended, clip, step)[-1]
        torch.testing.assert_close(
            of_clip, logits_over_stream(network, frames[:clip])[-1], rtol=1e-3, atol=1e-3
        )
        if not plan.running_means:
            torch.testing.assert_close(of_clip, network(frames[None, :clip])[0], rtol=1e-3, atol=1e-3)
        expected = logits_over_stream(network, frames)
        last = plan.head.into
        for number, logits in enumerate(streamed(network, frames, len(frames), step), 1):
            end = number * step // last.stride - 1 - last.delay
            if end >= 0:
                torch.testing.assert_close(logits, expected[end], rtol=1e-3, atol=1e-3)


BEHIND = (SpatialConv(6, 3, 2, "relu"),)
CASES: dict[str, tuple[Layer, ...]] = {
    "mean": (),
    "conv": (TemporalConv(5, 3, activation="relu"),),
    "even conv": (TemporalConv(5, 4),),
    "strided conv": (TemporalConv(5, 5, 2),),
    "conv that skips frames": (TemporalConv(5, 3), TemporalConv(5, 2, 3)),
    "pointwise stride behind a delay": (TemporalConv(5, 3), TemporalConv(4, 1, 2)),
    "conv longer than the clip": (TemporalConv(4, 64),),
    "conv of the whole clip": (TemporalConv(4, 64, 64),),
    "conv of the clip's beginning": (TemporalConv(4, 2, 64),),
    "depthwise": (TemporalDepthwiseConv(3), TemporalDepthwiseConv(4, 2, "hswish")),
    "inverted residual": (SpatialConv(6), TemporalInvertedResidual(6, 2.0, 5)),
    "average": (TemporalPool("avg", 3), TemporalPool("avg", 4, 2)),
    "maximum": (TemporalPool("max", 3), TemporalPool("max", 4, 2)),
    "maximum behind a delay": (TemporalConv(5, 5), TemporalPool("max", 2, 2)),
    "average of the whole clip": (TemporalConv(5, 3), TemporalPool("avg", 64, 64), SqueezeExcite(0.5)),
    "maximum of the whole clip": (TemporalPool("max", 2, 2), TemporalPool("max", 64, 64), NonLocal(3)),
    "shift": (SpatialConv(8), TemporalShift(0.25), TemporalShift(0.125)),
    "packing": (FramePacking(2), ChannelTimeLearning(4, "relu")),
    "packing of the whole clip": (FramePacking(64), SpatialConv(4, 3)),
    "conv3d": (Conv3d(5, 3, 3, 2, activation="relu"), Conv3d(4, 2, 4, 1, 2)),
    "depthwise conv3d": (DepthwiseConv3d(3, 3), DepthwiseConv3d(4, 5, 2, 2, "swish")),
    "conv3d of the whole clip": (Conv3d(5, 3, 64, 2, 64),),
    "gates": (SqueezeExcite(0.5), TemporalConv(6, 3), ContextGate(), SqueezeExcite(0.5, over="frame")),
    "attention": (NonLocal(3), TemporalPool("avg", 3, 2), NonLocal(2)),
    "branches": (
        Branches("concat", ((TemporalConv(3, 5),), (TemporalPool("max", 3),), (), (Dense(2),))),
        Branches("sum", ((TemporalConv(4, 3, 2),), (TemporalPool("avg", 5, 2), SpatialConv(4)))),
        Branches(
            "concat", ((TemporalPool("max", 64, 64),), (TemporalPool("avg", 64, 64), SpatialPool("avg", 2)))
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("frames", "times"), [(7, 2), (8, 1), (2, 1)])
def test_every_layer_over_time_computes_of_a_stream_what_it_computes_of_clips(
    case: str, frames: int, times: int
) -> None:
    block = Block((*BEHIND, *CASES[case]), residual="identity")
    again = Block((TemporalConv(6, 3, activation="relu"), SpatialConv(6)), residual="projection")
    check(Genome(square_input(7, frames), (block, again)), times)


@pytest.mark.parametrize("frames", [2, 3, 6])
def test_a_head_that_weighs_frames_weighs_those_of_the_last_clip(frames: int) -> None:
    layers = (*BEHIND, TemporalConv(4, 3), TemporalPool("max", 2, 2))
    check(Genome(square_input(7, frames), (Block(layers),), head="per_frame"), 2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), times=st.integers(1, 3), head=st.sampled_from(["mean", "per_frame"]))
def test_random_networks_give_the_logits_of_their_clips(seed: int, times: int, head: str) -> None:
    check(replace(sample_genome(SMALL, random.Random(seed)), head=head), times)


def test_a_step_costs_what_it_computes() -> None:
    for layers, frames in (
        ((*BEHIND, TemporalConv(5, 3, 2), Conv3d(4, 3, 3, 1, 2), TemporalPool("avg", 64, 64), Dense(7)), 8),
        ((*BEHIND, SqueezeExcite(0.5), TemporalDepthwiseConv(3), ContextGate(), SqueezeExcite(0.5)), 6),
        ((*BEHIND, SqueezeExcite(0.5, over="frame"), DepthwiseConv3d(3, 3), NonLocal(3)), 5),
    ):
        for head in ("mean", "per_frame"):
            genome = Genome(square_input(7, frames), (Block(layers, residual="identity"),), head=head)  # type: ignore[arg-type]
            network, plan = trained(genome), plan_stream(trace(genome, 5))
            for step in (plan.smallest_step, 2 * plan.smallest_step):
                streaming = StreamingNetwork(network, plan, step)
                with FlopCounterMode(display=False) as counter, torch.no_grad():
                    streaming(torch.zeros(step, 7, 7, 3), torch.ones(step), *streaming.first_states())
                assert plan.macs_of_step(step) == counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("name", "step", "delay"),
    [
        ("tsm-mobilenetv2", 1, 10),  # one frame for each of its ten shifts
        ("x3d-s", 1, 28),  # a stem of five taps, 26 blocks of three
        ("i3d", 8, None),
        ("movinet-a0", 1, None),
        ("tvn-1", 1, 0),
    ],
)
def test_the_peers_run_over_streams(name: str, step: int, delay: int | None) -> None:
    plan = plan_stream(trace(load_zoo(name)))
    assert plan.smallest_step == step
    assert delay is None or plan.delay_frames == delay


@pytest.mark.parametrize(
    ("layers", "frames", "told"),
    [
        (BEHIND, 1, "the clips of this one have one frame"),
        ((*BEHIND, NonLocal(3, "embedded_gaussian")), 4, "block1.repeat1.2.non_local relates each position"),
        (
            (Branches("concat", ((TemporalPool("max", 2, 3),), (TemporalPool("max", 2, 4),))),),
            5,
            "block1.repeat1.3.concat joins branches whose frames are 3 and 4 of the camera's apart",
        ),
        (
            (
                Branches(
                    "concat", ((TemporalConv(3, 3), TemporalPool("max", 9, 9)), (TemporalPool("avg", 9, 9),))
                ),
            ),
            5,
            "block1.repeat1.4.concat joins branches that make single frames of clips which ended 0 and 1",
        ),
    ],
)
def test_what_cannot_run_over_a_stream_is_a_sentence_that_names_the_layer(
    layers: tuple[Layer, ...], frames: int, told: str
) -> None:
    with pytest.raises(UserError) as refusal:
        plan_stream(trace(Genome(square_input(7, frames), (Block(layers),))))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)
