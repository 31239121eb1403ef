"""R(2+1)D: residual networks whose 3-D convolutions are split into space and time (Tran et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tvnsearch.genome.genome import Block, Genome, InputSpec, square_input
from tvnsearch.genome.layers import Activation, Branches, Layer, SpatialConv, TemporalConv, TemporalPool
from tvnsearch.genome.zoo.peers.peer import Peer

Unit = Callable[[int, int, int, int], tuple[Layer, ...]]
"""The layers of a residual unit, from its input and output channels and its strides in space and in time."""

Stages = tuple[int, int, int, int]
"""One number for each of the four stages."""

# The 45 channels are the authors' code's; their formula would give 83.
STEM = (
    SpatialConv(45, kernel=7, stride=2, activation="relu"),
    TemporalConv(64, kernel=3, activation="relu"),
)


def middle_width(channels: int, filters: int) -> int:
    """The channels between space and time that cost the weights of a 3x3x3 convolution (section 3.5)."""
    return 27 * channels * filters // (9 * channels + 3 * filters)


def space_then_time(
    middle: int, filters: int, stride: int, stride_frames: int, activation: Activation
) -> tuple[Layer, ...]:
    """A 3x3x3 convolution as 1x3x3, then 3x1x1."""
    return (
        SpatialConv(middle, kernel=3, stride=stride, activation="relu"),
        TemporalConv(filters, kernel=3, stride=stride_frames, activation=activation),
    )


def basic_unit(channels: int, filters: int, stride: int, stride_frames: int) -> tuple[Layer, ...]:
    """Two split convolutions, the middle of each as wide as its own channels ask for."""
    return (
        *space_then_time(middle_width(channels, filters), filters, stride, stride_frames, "relu"),
        *space_then_time(middle_width(filters, filters), filters, 1, 1, "none"),
    )


def torchvision_unit(channels: int, filters: int, stride: int, stride_frames: int) -> tuple[Layer, ...]:
    """Two split convolutions, the second with the middle of the first."""
    middle = middle_width(channels, filters)
    return (
        *space_then_time(middle, filters, stride, stride_frames, "relu"),
        *space_then_time(middle, filters, 1, 1, "none"),
    )


def bottleneck_unit(channels: int, filters: int, stride: int, stride_frames: int) -> tuple[Layer, ...]:
    """A split convolution at a quarter of the width, between two pointwise ones."""
    width = filters // 4
    return (
        SpatialConv(width, activation="relu"),
        *space_then_time(middle_width(width, width), width, stride, stride_frames, "relu"),
        SpatialConv(filters),
    )


def time_first_unit(channels: int, filters: int, stride: int, stride_frames: int) -> tuple[Layer, ...]:
    """PyTorchVideo's bottleneck: time before space, and no wider between the two."""
    width = filters // 4
    return (
        SpatialConv(width, activation="relu"),
        TemporalConv(width, kernel=3, stride=stride_frames, activation="relu"),
        SpatialConv(width, kernel=3, stride=stride, activation="relu"),
        SpatialConv(filters),
    )


def residual_stage(
    unit: Unit, channels: int, filters: int, units: int, stride: int, stride_frames: int
) -> Iterator[Block]:
    """The first unit, with the strides and a projection where the shape changes, then the others."""
    first = unit(channels, filters, stride, stride_frames)
    if stride_frames > 1:
        # A block's own projection is for equal numbers of frames, so this one drops frames first.
        shortcut = (
            TemporalPool("max", kernel=1, stride=stride_frames),
            SpatialConv(filters, stride=stride),
        )
        yield Block((Branches("sum", (first, shortcut)),), activation="relu")
    else:
        unchanged = channels == filters and stride == 1
        yield Block(first, residual="identity" if unchanged else "projection", activation="relu")
    rest = unit(filters, filters, 1, 1)
    yield Block(rest, repeats=units - 1, residual="identity", activation="relu")


def r2plus1d(
    input: InputSpec,
    unit: Unit,
    units: Stages,
    stem: tuple[Layer, ...] = STEM,
    widening: int = 1,
    strides: Stages = (1, 2, 2, 2),
    strides_frames: Stages = (1, 2, 2, 2),
) -> Genome:
    """A stem and four stages of 64, 128, 256 and 512 channels, each ``widening`` times as wide."""
    blocks = [Block(stem)]
    channels = 64
    for stage, filters in enumerate((64, 128, 256, 512)):
        blocks += residual_stage(
            unit, channels, widening * filters, units[stage], strides[stage], strides_frames[stage]
        )
        channels = widening * filters
    return Genome(input, tuple(blocks))


def r2plus1d_18() -> Genome:
    """R(2+1)D-18 with torchvision's middle widths."""
    return r2plus1d(square_input(112, frames=16, frame_stride=2), torchvision_unit, (2, 2, 2, 2))


def r2plus1d_34() -> Genome:
    """R(2+1)D-34 as its authors released it."""
    return r2plus1d(square_input(112, frames=32, frame_stride=2), basic_unit, (3, 4, 6, 3))


def r2plus1d_50() -> Genome:
    """R(2+1)D-50 as PyTorchVideo designed it."""
    return r2plus1d(
        square_input(256, frames=16, frame_stride=4),
        time_first_unit,
        (3, 4, 6, 3),
        stem=(SpatialConv(64, kernel=7, stride=2, activation="relu"),),
        widening=4,
        strides=(2, 2, 2, 2),
        strides_frames=(1, 1, 2, 2),
    )


def r2plus1d_101() -> Genome:
    """R(2+1)D-101 as its authors deepened it."""
    return r2plus1d(square_input(112, frames=32, frame_stride=2), bottleneck_unit, (3, 4, 23, 3), widening=4)


TRAN = "Tran et al. 2018, A Closer Look at Spatiotemporal Convolutions for Action Recognition"

R2PLUS1D = {
    "r2plus1d-18": Peer(
        build=r2plus1d_18,
        paper=TRAN,
        classes=400,
        published_params=31_505_325,
        published_gmacs=40.519,
        source="torchvision, R2Plus1D_18_Weights.KINETICS400_V1",
        gmacs_tolerance=0.0001,
        note="Torchvision's: the second convolution of each unit takes over the first one's middle width. "
        "With the paper's own widths it counts 33.4 M and 41.5 GMACs.",
    ),
    "r2plus1d-34": Peer(
        build=r2plus1d_34,
        paper=TRAN,
        classes=400,
        published_params=63_600_000,
        published_gmacs=152.4,
        source="VMZ model zoo, R(2+1)D-34 on 32 frames: 63.6 M, 199.0 GFLOPs; the latter at 128 pixels, "
        "so times (112/128)^2",
        gmacs_tolerance=0.001,
        note="At 128 pixels ours counts 198.995 GMACs.",
    ),
    "r2plus1d-50": Peer(
        build=r2plus1d_50,
        paper=f"{TRAN}; Fan et al. 2021, PyTorchVideo",
        classes=400,
        published_params=28_110_000,
        published_gmacs=76.45,
        source="PyTorchVideo model zoo, R(2+1)D R50 16x4, tested on crops of 256 pixels",
        gmacs_tolerance=0.02,
        note="PyTorchVideo's own design, not the authors': time before space, no wider middle, a stem in "
        "space only. Its count includes BatchNorm: five operations for each output would make ours 76.32.",
    ),
    "r2plus1d-101": Peer(
        build=r2plus1d_101,
        paper=f"{TRAN}; Ghadiyaram et al. 2019, Large-Scale Weakly-Supervised Pre-Training",
        classes=400,
        published_params=86_000_000,
        published_gmacs=176.0,
        source="Ghadiyaram et al. 2019, the table of R(2+1)D depths, on 32 frames of 112 pixels",
        gmacs_tolerance=0.005,
        note="The same code at depth 152 counts the 118.0 M and, at 128 pixels, the 329.1 GFLOPs of the VMZ "
        "model zoo.",
    ),
}
