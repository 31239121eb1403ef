"""MoViNet-A0 and -A1, the base networks, without stream buffers (Kondratyuk et al. 2021)."""

from __future__ import annotations

from typing import NamedTuple

from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import (
    Branches,
    Dense,
    DepthwiseConv,
    DepthwiseConv3d,
    Layer,
    SpatialConv,
    SpatialPool,
)
from tvnsearch.genome.scaling import divisible_width
from tvnsearch.genome.zoo.peers.parts import GLOBAL_FRAME_POOL, GLOBAL_TIME_POOL, squeeze_excite
from tvnsearch.genome.zoo.peers.peer import Peer

INPUT = square_input(172, frames=50, frame_stride=5)


class Stage(NamedTuple):
    """Units of one width: the stride of the first; each one's inner width and kernel, frames and pixels."""

    filters: int
    stride: int
    units: tuple[tuple[int, int, int], ...]


A0 = (
    Stage(8, 2, ((24, 1, 5),)),
    Stage(32, 2, ((80, 3, 3), (80, 3, 3), (80, 3, 3))),
    Stage(56, 2, ((184, 5, 3), (112, 3, 3), (184, 3, 3))),
    Stage(56, 1, ((184, 5, 3), (184, 3, 3), (184, 3, 3), (184, 3, 3))),
    Stage(104, 2, ((384, 5, 3), (280, 1, 5), (280, 1, 5), (344, 1, 5))),
)
A1 = (
    Stage(16, 2, ((40, 1, 5), (40, 3, 3))),
    Stage(40, 2, ((96, 3, 3), (120, 3, 3), (96, 3, 3), (96, 3, 3))),
    Stage(64, 2, ((216, 5, 3), (128, 3, 3), (216, 3, 3), (168, 3, 3), (216, 3, 3))),
    Stage(64, 1, ((216, 5, 3), (216, 3, 3), (216, 3, 3), (128, 3, 3), (128, 1, 5), (216, 3, 3))),
    Stage(
        136,
        2,
        (
            (456, 5, 3),
            (360, 1, 5),
            (360, 1, 5),
            (360, 1, 5),
            (456, 1, 5),
            (456, 3, 3),
            (544, 1, 3),
        ),
    ),
)


def depthwise(frames: int, pixels: int, stride: int) -> Layer:
    """A depthwise convolution over frames and pixels, or pixels alone."""
    if frames == 1:
        return DepthwiseConv(pixels, stride, activation="swish")
    return DepthwiseConv3d(pixels, frames, stride, activation="swish")


def unit(channels: int, filters: int, width: int, convolution: Layer, stride: int) -> Block:
    """An inverted bottleneck that squeezes and excites; a striding one averages on its shortcut."""
    main = (
        SpatialConv(width, activation="swish"),
        convolution,
        squeeze_excite(width, divisible_width(width / 4), inner="swish"),
        SpatialConv(filters),
    )
    if stride > 1:
        shortcut = (SpatialPool("avg", kernel=3, stride=stride), SpatialConv(filters))
        return Block((Branches("sum", (main, shortcut)),))
    return Block(main, residual="identity" if channels == filters else "projection")


def movinet(stem: int, stages: tuple[Stage, ...], last: int) -> Genome:
    """A stem of ``stem`` channels, the stages, and a head of ``last`` channels, pooled, then 2048."""
    blocks = [Block((SpatialConv(stem, kernel=3, stride=2, activation="swish"),))]
    channels = stem
    for filters, stride, units in stages:
        for number, (width, frames, pixels) in enumerate(units):
            unit_stride = stride if number == 0 else 1
            convolution = depthwise(frames, pixels, unit_stride)
            blocks.append(unit(channels, filters, width, convolution, unit_stride))
            channels = filters
    head = (
        SpatialConv(last, activation="swish"),
        GLOBAL_FRAME_POOL,
        GLOBAL_TIME_POOL,
        Dense(2048, activation="swish"),
    )
    return Genome(INPUT, (*blocks, Block(head)))


def movinet_a0() -> Genome:
    """MoViNet-A0."""
    return movinet(8, A0, 480)


def movinet_a1() -> Genome:
    """MoViNet-A1."""
    return movinet(16, A1, 600)


KONDRATYUK = "Kondratyuk et al. 2021, MoViNets: Mobile Video Networks for Efficient Video Recognition"
ELEMENTWISE = "One more multiply-add for each BatchNorm output would leave 0.6 % of the difference."

MOVINET = {
    "movinet-a0": Peer(
        build=movinet_a0,
        paper=KONDRATYUK,
        classes=600,
        published_params=3_100_000,
        published_gmacs=2.71,
        source="MoViNet paper, results on Kinetics 600",
        gmacs_tolerance=0.03,
        note="As released, which differs from the paper's appendix (block 2 widens to 24 channels, not 40), "
        "but without its 15 residual scales. Keras counts 911,583 values in the released backbone, with "
        f"the scales and BatchNorm's running statistics; so do we. {ELEMENTWISE}",
    ),
    "movinet-a1": Peer(
        build=movinet_a1,
        paper=KONDRATYUK,
        classes=600,
        published_params=4_600_000,
        published_gmacs=6.02,
        source="MoViNet paper, results on Kinetics 600",
        gmacs_tolerance=0.03,
        params_tolerance=0.02,
        note="Nobody published an exact count of the network as released. An independent count from the "
        f"official code's table gives 4,690,296: ours and 24 residual scales. {ELEMENTWISE}",
    ),
}
