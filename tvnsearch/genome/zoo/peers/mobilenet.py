"""MobileNetV3 frame by frame (Howard et al. 2019), and MobileNetV2 with temporal shifts (Lin et al. 2019)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import Activation, Dense, DepthwiseConv, Layer, SpatialConv, TemporalShift
from tvnsearch.genome.scaling import divisible_width
from tvnsearch.genome.zoo.peers.parts import GLOBAL_FRAME_POOL, squeeze_excite
from tvnsearch.genome.zoo.peers.peer import Peer

INPUT = square_input(224, frames=8, frame_stride=8)


class Unit(NamedTuple):
    """A row of MobileNetV3's tables 1 and 2."""

    kernel: int
    width: int
    filters: int
    squeezes: bool
    activation: Activation
    stride: int


LARGE = (
    Unit(3, 16, 16, False, "relu", 1),
    Unit(3, 64, 24, False, "relu", 2),
    Unit(3, 72, 24, False, "relu", 1),
    Unit(5, 72, 40, True, "relu", 2),
    Unit(5, 120, 40, True, "relu", 1),
    Unit(5, 120, 40, True, "relu", 1),
    Unit(3, 240, 80, False, "hswish", 2),
    Unit(3, 200, 80, False, "hswish", 1),
    Unit(3, 184, 80, False, "hswish", 1),
    Unit(3, 184, 80, False, "hswish", 1),
    Unit(3, 480, 112, True, "hswish", 1),
    Unit(3, 672, 112, True, "hswish", 1),
    Unit(5, 672, 160, True, "hswish", 2),
    Unit(5, 960, 160, True, "hswish", 1),
    Unit(5, 960, 160, True, "hswish", 1),
)
SMALL = (
    Unit(3, 16, 16, True, "relu", 2),
    Unit(3, 72, 24, False, "relu", 2),
    Unit(3, 88, 24, False, "relu", 1),
    Unit(5, 96, 40, True, "hswish", 2),
    Unit(5, 240, 40, True, "hswish", 1),
    Unit(5, 240, 40, True, "hswish", 1),
    Unit(5, 120, 48, True, "hswish", 1),
    Unit(5, 144, 48, True, "hswish", 1),
    Unit(5, 288, 96, True, "hswish", 2),
    Unit(5, 576, 96, True, "hswish", 1),
    Unit(5, 576, 96, True, "hswish", 1),
)


def v3_block(channels: int, unit: Unit) -> Block:
    """Widen where that changes anything, convolve, squeeze and excite each frame, narrow."""
    layers: list[Layer] = []
    if unit.width != channels:
        layers.append(SpatialConv(unit.width, activation=unit.activation))
    layers.append(DepthwiseConv(unit.kernel, unit.stride, unit.activation))
    if unit.squeezes:
        hidden = divisible_width(unit.width / 4)
        layers.append(squeeze_excite(unit.width, hidden, gate="hsigmoid", over="frame"))
    layers.append(SpatialConv(unit.filters))
    return Block(tuple(layers), residual="identity")


def mobilenetv3(units: tuple[Unit, ...], last: int, frames: int = INPUT.frames) -> Genome:
    """MobileNetV3 on each frame up to its classifier, whose ``last`` inputs are averaged over the frames."""
    blocks = [Block((SpatialConv(16, kernel=3, stride=2, activation="hswish"),))]
    channels = 16
    for unit in units:
        blocks.append(v3_block(channels, unit))
        channels = unit.filters
    head = (
        SpatialConv(6 * channels, activation="hswish"),
        GLOBAL_FRAME_POOL,
        Dense(last, activation="hswish"),
    )
    return Genome(replace(INPUT, frames=frames), (*blocks, Block(head)))


V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, units and the first one's stride (Sandler et al. 2018, table 2)."""


def v2_unit(channels: int, expansion: int, filters: int, stride: int) -> tuple[Layer, ...]:
    """An inverted residual's layers, the first of which an expansion of 1 leaves out."""
    widen = () if expansion == 1 else (SpatialConv(expansion * channels, activation="relu6"),)
    return *widen, DepthwiseConv(3, stride, "relu6"), SpatialConv(filters)


def tsm_mobilenetv2() -> Genome:
    """MobileNetV2 that shifts an eighth of the channels each way at the start of every residual branch."""
    blocks = [Block((SpatialConv(32, kernel=3, stride=2, activation="relu6"),))]
    channels = 32
    for expansion, filters, units, stride in V2_STAGES:
        blocks.append(Block(v2_unit(channels, expansion, filters, stride)))
        if units > 1:
            rest = (TemporalShift(), *v2_unit(filters, expansion, filters, 1))
            blocks.append(Block(rest, repeats=units - 1, residual="identity"))
        channels = filters
    return Genome(INPUT, (*blocks, Block((SpatialConv(1280, activation="relu6"),))))


HOWARD = "Howard et al. 2019, Searching for MobileNetV3"
CLASSIFIED_ONCE = "Our head classifies the mean of the frames, once; classifying each frame costs"
TORCHVISION_COUNT = "Torchvision counts 217 M an image."


def v3_large_peer(frames: int, note: str) -> Peer:
    """MobileNetV3-large on a clip of ``frames`` frames; the published counts are of an image."""
    return Peer(
        build=partial(mobilenetv3, LARGE, 1280, frames),
        paper=HOWARD,
        classes=1000,
        published_params=5_483_032,
        published_gmacs=0.219 * frames,
        source="parameters: torchvision, MobileNet_V3_Large_Weights; multiply-adds: the paper's 219 M an "
        f"image, times {frames} frames",
        gmacs_tolerance=0.02,
        note=note,
    )


MOBILENET = {
    "mobilenetv3-small": Peer(
        build=partial(mobilenetv3, SMALL, 1024),
        paper=HOWARD,
        classes=1000,
        published_params=2_542_856,
        published_gmacs=0.448,
        source="parameters: torchvision, MobileNet_V3_Small_Weights; multiply-adds: the paper's 56 M an "
        "image, times 8 frames",
        gmacs_tolerance=0.01,
        note=f"{CLASSIFIED_ONCE} 7 M more and gives the same logits.",
    ),
    "mobilenetv3-large": v3_large_peer(
        8, f"{CLASSIFIED_ONCE} 9 M more and gives the same logits. {TORCHVISION_COUNT}"
    ),
    "mobilenetv3-large-1f": v3_large_peer(1, f"The image network. {TORCHVISION_COUNT}"),
    "mobilenetv3-large-2f": v3_large_peer(
        2, f"{CLASSIFIED_ONCE} 1 M more and gives the same logits. {TORCHVISION_COUNT}"
    ),
    "tsm-mobilenetv2": Peer(
        build=tsm_mobilenetv2,
        paper="Lin et al. 2019, TSM: Temporal Shift Module for Efficient Video Understanding",
        classes=400,
        published_params=2_736_000,
        published_gmacs=2.4,
        source="parameters: MMAction2 model zoo, TSM MobileNetV2 1x1x8; multiply-adds: 300 M an image "
        "(Sandler et al. 2018, table 4), times 8 frames; shifts cost none",
        gmacs_tolerance=0.005,
        note="MMAction2 prints 3.269 G: that is on crops of 256 pixels, without the classifier, and with two "
        "operations for each BatchNorm output.",
    ),
}
