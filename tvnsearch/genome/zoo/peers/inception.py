"""I3D (Carreira and Zisserman 2017), S3D and S3D-G (Xie et al. 2018): Inception-v1 over space and time."""

from __future__ import annotations

from collections.abc import Callable

from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import (
    Branches,
    ContextGate,
    Conv3d,
    Layer,
    SpatialConv,
    SpatialPool,
    TemporalConv,
    TemporalPool,
)
from tvnsearch.genome.zoo.peers.peer import Peer

Convolution = Callable[[int, int, int], tuple[Layer, ...]]
"""A convolution over space and time, from its filters, its kernel and its stride along every axis."""

Widths = tuple[int, int, int, int, int, int]

MIXED: tuple[Widths, ...] = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""The blocks 3b to 5c: pointwise; reduced, convolved; reduced, convolved; pooled (Szegedy et al. 2015)."""


def whole(filters: int, kernel: int, stride: int) -> tuple[Layer, ...]:
    """I3D's: one kernel over space and time."""
    return (Conv3d(filters, kernel, kernel, stride, stride, activation="relu"),)


def separable(filters: int, kernel: int, stride: int) -> tuple[Layer, ...]:
    """S3D's: over space, then over time."""
    return (
        SpatialConv(filters, kernel, stride, activation="relu"),
        TemporalConv(filters, kernel, stride, activation="relu"),
    )


def pointwise(filters: int) -> SpatialConv:
    """A 1x1x1 convolution."""
    return SpatialConv(filters, activation="relu")


def max_pool(kernel: int, stride: int) -> tuple[Layer, ...]:
    """A maximum over space and time, which is that over space, then over time."""
    return SpatialPool("max", kernel, stride), TemporalPool("max", kernel, stride)


def mixed(convolution: Convolution, widths: Widths, gate: tuple[Layer, ...]) -> Branches:
    """Four branches, side by side, each with ``gate`` at its end."""
    alone, reduced, wide, reduced_more, narrow, pooled = widths
    return Branches(
        "concat",
        (
            (pointwise(alone), *gate),
            (pointwise(reduced), *convolution(wide, 3, 1), *gate),
            (pointwise(reduced_more), *convolution(narrow, 3, 1), *gate),
            (*max_pool(3, 1), pointwise(pooled), *gate),
        ),
    )


def inception(convolution: Convolution, gate: tuple[Layer, ...] = ()) -> Genome:
    """Inception-v1 on 64 frames of 224 pixels, with ``convolution`` for each kernel beyond one pixel.

    ``gate`` follows the stem's last convolution, and ends every branch.
    """
    stem = (
        *convolution(64, 7, 2),
        SpatialPool("max", 3, 2),
        pointwise(64),
        *convolution(192, 3, 1),
        *gate,
        SpatialPool("max", 3, 2),
    )
    units = [(mixed(convolution, widths, gate),) for widths in MIXED]
    layers = (*units[:1], (*units[1], *max_pool(3, 2)), *units[2:6], (*units[6], *max_pool(2, 2)), *units[7:])
    return Genome(square_input(224, frames=64), (Block(stem), *map(Block, layers)))


def i3d() -> Genome:
    """I3D on RGB."""
    return inception(whole)


def s3d() -> Genome:
    """S3D, without feature gating."""
    return inception(separable)


def s3d_g() -> Genome:
    """S3D with feature gating."""
    return inception(separable, (ContextGate(),))


XIE = "Xie et al. 2018, Rethinking Spatiotemporal Feature Learning"
EVEN_MEAN = "Our head weighs all frames equally, the original the first and the last one half."

INCEPTION = {
    "i3d": Peer(
        build=i3d,
        paper="Carreira and Zisserman 2017, Quo Vadis, Action Recognition?",
        classes=400,
        published_params=12_697_264,
        published_gmacs=111.59,
        source="parameters: action-recognition-pytorch (IBM), Kinetics-400 I3D; multiply-adds: Open Model "
        "Zoo, i3d-rgb-tf, 278.981 GFLOPs, two a multiply-add, on 79 frames, of whose 40 after the stem 64 "
        "frames leave 32",
        gmacs_tolerance=0.005,
        note="DeepMind's release has no BatchNorm scales (12.69 M). Xie et al. print 12.06 M and 107.89 "
        f"GFLOPs for their I3D; we do not know which details make them. {EVEN_MEAN}",
    ),
    "s3d": Peer(
        build=s3d,
        paper=XIE,
        classes=400,
        published_params=8_320_048,
        published_gmacs=71.916,
        source="torchvision, S3D_Weights.KINETICS400_V1: 17.979 GFLOPs on 16 frames, so times 4",
        gmacs_tolerance=0.0001,
        note=f"The paper counts 8.77 M and 66.38 GFLOPs for its own, which was never released. {EVEN_MEAN}",
    ),
    "s3d-g": Peer(
        build=s3d_g,
        paper=XIE,
        classes=400,
        published_params=9_508_000,
        published_gmacs=71.916,
        source="parameters: ActionClassification (Han), S3D-G, 9.098 M, and 410,000 of the classifier that "
        "it leaves out; multiply-adds: torchvision's of S3D, times 4, for gates cost little",
        gmacs_tolerance=0.0001,
        note="Gated where the authors' code is (TensorFlow Slim). Han's has no gate in the stem, 37,056 "
        "parameters; without it ours counts 9,098,000 too. Slim's has no biases in its gates (5,680), biases "
        "and no BatchNorm after convolutions over time, and a stem of one 3x7x7 convolution. Gates cost "
        f"1.2 M multiply-adds here. {EVEN_MEAN}",
    ),
}
