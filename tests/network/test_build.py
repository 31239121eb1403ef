from __future__ import annotations

import math
import operator
import random
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from msgspec.structs import replace
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.genome.strategies import DIGITS, PAPER, genomes
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import (
    Activate,
    Branches,
    ChannelTimeLearning,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv,
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
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import IntRange
from tvnsearch.genome.zoo import load_zoo, zoo
from tvnsearch.network import build_network, deployed, pack
from tvnsearch.network.build import MODULES
from tvnsearch.network.layout import over_time
from tvnsearch.network.modules import Head

SMALL = replace(
    DIGITS,
    resolution=IntRange(8, 24, 8),
    filters=IntRange(16, 64, 8),
    frames=IntRange(1, 6),
    kernel=IntRange(1, 8),
)
"""Every layer type with every kernel, at sizes that train in milliseconds."""


def _clips(genome: Genome, batch: int = 1) -> Tensor:
    spec = genome.input
    return torch.rand(batch, spec.frames, spec.height, spec.width, 3)


def _assert_counts_equal_torch(genome: Genome) -> None:
    with torch.device("meta"):
        network = build_network(genome, 10).eval()
        with FlopCounterMode(display=False) as counter:
            network(_clips(genome))
    expected = trace(genome, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected.params
    assert counter.get_total_flops() == 2 * expected.macs


@pytest.mark.parametrize("name", list(zoo()))
def test_zoo_counts_equal_torch(name: str) -> None:
    _assert_counts_equal_torch(load_zoo(name))


def test_random_counts_equal_torch() -> None:
    rng = random.Random(0)
    for _ in range(8):
        _assert_counts_equal_torch(sample_genome(PAPER, rng))


@pytest.mark.slow
def test_2000_random_counts_equal_torch() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        _assert_counts_equal_torch(sample_genome(PAPER, rng))


@settings(max_examples=15, deadline=None)
@given(genomes(SMALL))
def test_any_genome_runs_trains_and_deploys_to_the_same_logits(genome: Genome) -> None:
    _assert_runs_trains_and_deploys_to_the_same_logits(genome)


def _assert_runs_trains_and_deploys_to_the_same_logits(genome: Genome) -> None:
    torch.manual_seed(0)
    network = build_network(genome, 7)
    clips = _clips(genome, batch=2)
    before = clips.clone()
    network(clips).square().sum().backward()
    assert torch.equal(clips, before)
    network.eval()
    with torch.inference_mode():
        logits = network(clips)
        assert logits.shape == (2, 7)
        assert torch.isfinite(logits).all()
        scale = logits.abs().max().clamp(min=1e-3)
        for runnable in (deployed(network), pack(deployed(network))):
            assert (runnable(clips) - logits).abs().max() / scale < 1e-3
        alone = torch.cat([network(clip[None]) for clip in clips])
        assert (alone - logits).abs().max() / scale < 1e-3


@settings(max_examples=15, deadline=None)
@given(genomes(DIGITS))
def test_one_stamp_a_call(genome: Genome) -> None:
    network = deployed(build_network(genome, 5))
    stamps: list[int] = []
    with torch.inference_mode():
        network.forward_stamped(_clips(genome), lambda: stamps.append(1))
    assert len(stamps) == len(trace(genome, 5).calls)


LAYERS: list[Layer] = [
    SpatialConv(8, 3, 2, "relu"),
    SpatialConv(8, 4),
    SpatialConv(1, 1),
    DepthwiseConv(5, 1, "hswish"),
    DepthwiseConv(2, 3),
    TemporalConv(8, 3),
    TemporalConv(8, 4, 2, "relu"),
    SpatialPool("avg", 2),
    SpatialPool("avg", 6, 2),
    SpatialPool("max", 3, 2),
    SpatialPool("max", 8),
    TemporalPool("avg", 2),
    TemporalPool("max", 3, 2),
    NonLocal(4),
    ContextGate(),
    SqueezeExcite(0.5),
    SqueezeExcite(0.5, "swish", "hsigmoid", "frame"),
    InvertedResidual(6, 3, 3, 1, "hswish"),
    TemporalInvertedResidual(5, 2, 4, 2),
    TemporalDepthwiseConv(3, 2, "relu6"),
    TemporalDepthwiseConv(4),
    Conv3d(8, 3, 3, 2, 2, "swish"),
    Conv3d(1, 4, 2),
    DepthwiseConv3d(5, 3),
    DepthwiseConv3d(2, 4, 2, 3),
    Dense(7, "hswish"),
    TemporalShift(0.25),
    FramePacking(3),
    FramePacking(8),
    NonLocal(4, "embedded_gaussian"),
    ChannelTimeLearning(6, "relu"),
    ChannelTimeLearning(1),
    Activate("swish"),
    Branches("sum", ((SpatialConv(5, 3),), ())),
    Branches("concat", ((SpatialConv(4, 3, 2),), (SpatialPool("max", 3, 2), Dense(3)), (SpatialConv(1),))),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_layer_counts_trains_and_folds(layer: Layer) -> None:
    genome = Genome(square_input(9, 4), (Block((SpatialConv(5, activation="relu"), layer), repeats=2),))
    _assert_counts_equal_torch(genome)
    _assert_runs_trains_and_deploys_to_the_same_logits(genome)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("shape", [(4, 9), (1, 8), (2, 1), (3, 5)], ids=str)
@pytest.mark.parametrize("channels", [1, 5])
def test_every_layer_keeps_the_one_layout(layer: Layer, shape: tuple[int, int], channels: int) -> None:
    frames, resolution = shape
    genome = Genome(
        square_input(resolution, frames), (Block((SpatialConv(channels), layer), residual="projection"),)
    )
    network = build_network(genome, 3).eval()

    def check(module: nn.Module, inputs: object, output: Tensor) -> None:
        rows = output.permute(0, 2, 3, 1)
        assert rows.is_contiguous(), (type(module).__name__, tuple(output.shape), output.stride())

    for module in network.modules():
        if type(module) in set(MODULES.values()) - {Head}:
            module.register_forward_hook(check)
    with torch.inference_mode():
        network(_clips(genome, batch=2))


PER_FRAME = Genome(square_input(9, 4), (Block((SpatialConv(5, 3, 2, "relu"),)),), "per_frame")


def test_a_head_for_each_frame_counts_trains_and_folds() -> None:
    _assert_counts_equal_torch(PER_FRAME)
    _assert_runs_trains_and_deploys_to_the_same_logits(PER_FRAME)


def test_a_head_for_each_frame_weighs_frames_by_their_logits() -> None:
    torch.manual_seed(0)
    network = build_network(PER_FRAME, 3).eval()
    torch.nn.init.normal_(network.head.classifier.weight, std=5)
    features = torch.randn(2 * 4, 5, 5, 5).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        pooled = network.head(features)
        for clip in range(2):
            for label in range(3):
                weight, bias = network.head.classifier.weight[label], network.head.classifier.bias[label]
                means = features[4 * clip : 4 * clip + 4].mean(dim=(2, 3))
                logits = [float(mean @ weight + bias) for mean in means]
                shares = [math.exp(logit / 2) for logit in logits]
                expected = sum(map(operator.mul, shares, logits)) / sum(shares)
                assert float(pooled[clip, label]) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_moving_between_the_views_copies_nothing() -> None:
    shape = trace(load_zoo("tvn-1")).blocks[0].out_shape
    features = torch.rand(shape.frames * 2, shape.height, shape.width, shape.channels).permute(0, 3, 1, 2)
    assert over_time(features, shape).data_ptr() == features.data_ptr()


@pytest.mark.parametrize(
    ("frames", "resolution", "layer"),
    [(8, 24, "TemporalConv(32, 1, 2)"), (1, 64, "SpatialConv(232, 1, 2)")],
)
def test_training_a_strided_pointwise_convolution_is_safe(frames: int, resolution: int, layer: str) -> None:
    """In a process of its own: the faults that this guards against ended it by a signal, or never."""
    code = f"""
import torch
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network import build_network

network = build_network(Genome(square_input({resolution}, {frames}), (Block(({layer},)),)), 4)
for _ in range(4):
    clips = torch.randn(16, {frames}, {resolution}, {resolution}, 3, requires_grad=True)
    network(clips).square().sum().backward()
    [torch.randn(size) for size in (10, 100, 1000, 10000, 100000)]
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
