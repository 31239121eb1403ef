"""X3D: an image network widened step by step along every axis of video (Feichtenhofer 2020)."""

from __future__ import annotations

from functools import partial

from tvnsearch.genome.genome import Block, Genome, InputSpec, square_input
from tvnsearch.genome.layers import Activate, Dense, DepthwiseConv3d, SpatialConv, TemporalDepthwiseConv
from tvnsearch.genome.scaling import divisible_width
from tvnsearch.genome.zoo.peers.parts import GLOBAL_FRAME_POOL, GLOBAL_TIME_POOL, squeeze_excite
from tvnsearch.genome.zoo.peers.peer import Peer

STAGES = ((24, 3), (48, 5), (96, 11), (192, 7))
"""Channels and units of the stages, of which the first unit strides."""

STEM = Block(
    (
        SpatialConv(24, kernel=3, stride=2),
        TemporalDepthwiseConv(kernel=5, activation="relu"),
    )
)


def unit(filters: int, number: int) -> Block:
    """An inverted bottleneck, 2.25 times as wide inside; every other one squeezes and excites."""
    width = int(2.25 * filters)
    squeeze = (squeeze_excite(width, divisible_width(width / 16)),) if number % 2 == 0 else ()
    return Block(
        (
            SpatialConv(width, activation="relu"),
            DepthwiseConv3d(kernel=3, kernel_frames=3, stride=2 if number == 0 else 1),
            *squeeze,
            Activate("swish"),
            SpatialConv(filters),
        ),
        residual="projection" if number == 0 else "identity",
        activation="relu",
    )


def x3d(input: InputSpec) -> Genome:
    """X3D-XS, -S and -M, which are one network on three inputs."""
    units = [unit(filters, number) for filters, count in STAGES for number in range(count)]
    head = Block(
        (
            SpatialConv(432, activation="relu"),
            GLOBAL_FRAME_POOL,
            GLOBAL_TIME_POOL,
            Dense(2048, activation="relu"),
        )
    )
    return Genome(input, (STEM, *units, head))


def x3d_peer(input: InputSpec, published_gmacs: float, gmacs_tolerance: float) -> Peer:
    """X3D on one of its training inputs."""
    return Peer(
        build=partial(x3d, input),
        paper="Feichtenhofer 2020, X3D: Expanding Architectures for Efficient Video Recognition",
        classes=400,
        published_params=3_790_000,
        published_gmacs=published_gmacs,
        source="parameters: PyTorchVideo model zoo; multiply-adds: PySlowFast model zoo, on training crops",
        gmacs_tolerance=gmacs_tolerance,
        note="48 BatchNorm parameters between the halves of the stem and 2048 biases before the classifier "
        "that X3D does without, 0.06 % together. PyTorchVideo prints more multiply-adds (0.91, 2.96, 6.72): "
        "its test crops are 182 and 256 pixels, and it counts BatchNorm.",
    )


X3D = {
    "x3d-xs": x3d_peer(square_input(160, frames=4, frame_stride=12), 0.60, 0.01),
    "x3d-s": x3d_peer(square_input(160, frames=13, frame_stride=6), 1.96, 0.005),
    "x3d-m": x3d_peer(square_input(224, frames=16, frame_stride=5), 4.73, 0.001),
}
