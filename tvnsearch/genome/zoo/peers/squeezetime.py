"""SqueezeTime: an image network whose channels hold the frames of a clip (Zhai et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator

from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import ChannelTimeLearning, DepthwiseConv, FramePacking, SpatialConv, SpatialPool
from tvnsearch.genome.zoo.peers.peer import Peer

FRAMES = 16

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Inner width and units of the stages, a ResNet-50's; units are four times as wide outside."""

STEM = Block(
    (
        FramePacking(FRAMES),
        SpatialConv(64, kernel=5, stride=2, activation="relu"),
        SpatialPool("max", kernel=3, stride=2),
    )
)

DOWNSAMPLING = Block((DepthwiseConv(kernel=2, stride=2),))
"""What the first unit of a stage does to the input of both its branches, but the first stage's."""


def stage(width: int, units: int) -> Iterator[Block]:
    """Residual units around channel-time learning, the first with a projection to the stage's width."""
    layers = (
        SpatialConv(width, activation="relu"),
        ChannelTimeLearning(width, activation="relu"),
        SpatialConv(4 * width),
    )
    yield Block(layers, residual="projection", activation="relu")
    yield Block(layers, repeats=units - 1, residual="identity", activation="relu")


def squeezetime() -> Genome:
    """SqueezeTime of depth 50."""
    blocks = [STEM]
    for number, (width, units) in enumerate(STAGES):
        blocks += [DOWNSAMPLING] if number else []
        blocks += stage(width, units)
    return Genome(square_input(224, frames=FRAMES, frame_stride=4), tuple(blocks))


SQUEEZETIME = {
    "squeezetime": Peer(
        build=squeezetime,
        paper="Zhai et al. 2024, No Time to Waste: Squeeze Time into Channel for Mobile Video Understanding",
        classes=400,
        published_params=28_700_000 + 819_600,
        published_gmacs=5.5,
        source="the paper, 28.7 M and 5.5 GFLOPs; its parameters are of the backbone, to which the 819,600 "
        "of the classifier are added",
        gmacs_tolerance=0.005,
        note="The official code counts 29,706,688 parameters with the classifier, of which 221,872 are maps "
        "of positions (without them its backbone has 28.67 M), and 5.483 GMACs. Ours is without 2,304 biases "
        "before BatchNorm, which cancels them. Frames lie in the channels one after the other, not colours: "
        "the first kernel's input channels in another order. Position maps are of the size of their map; the "
        "official code interpolates those of 224 pixels at other resolutions.",
    ),
}
