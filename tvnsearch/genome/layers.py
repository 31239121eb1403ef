"""The layer types that a genome is written in, each with its parameters.

Ranges here are what can be built at all; what a search may draw is the business of a search space. The
paper's layers come first, then its mobile ones, then what only the peers' networks need.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

Activation = Literal["none", "relu", "relu6", "swish", "hswish"]
PoolMode = Literal["avg", "max"]
Gate = Literal["sigmoid", "hsigmoid"]
Extent = Literal["clip", "frame"]
Attention = Literal["dot_product", "embedded_gaussian"]

LONGEST_WINDOW = 4096
MOST_FILTERS = 16384
MOST_EXPANSION = 64.0
"""What a layer can hold at all: the longest kernel and stride, the widest convolution, the widest inside."""

Kernel = Annotated[int, Meta(ge=1, le=LONGEST_WINDOW)]
Stride = Annotated[int, Meta(ge=1, le=LONGEST_WINDOW)]
Filters = Annotated[int, Meta(ge=1, le=MOST_FILTERS)]
Expansion = Annotated[float, Meta(ge=1.0, le=MOST_EXPANSION)]
Ratio = Annotated[float, Meta(gt=0.0, le=1.0)]


class _Layer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", gc=False, cache_hash=True):
    """What every layer record has in common: immutable, hashable, strict about its fields."""


class SpatialConv(_Layer, frozen=True, tag="spatial_conv"):
    """A kernel x kernel convolution over each frame, BatchNorm, activation."""

    filters: Filters
    kernel: Kernel = 1
    stride: Stride = 1
    activation: Activation = "none"


class DepthwiseConv(_Layer, frozen=True, tag="depthwise_conv"):
    """A kernel x kernel convolution over each frame, one filter a channel, BatchNorm, activation."""

    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "none"


class TemporalConv(_Layer, frozen=True, tag="temporal_conv"):
    """A 1-D convolution over time at every pixel, BatchNorm, activation; not executed on a single frame."""

    filters: Filters
    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "none"


class SpatialPool(_Layer, frozen=True, tag="spatial_pool"):
    """Average or max pooling over each frame; averages count real pixels only, never the padding."""

    mode: PoolMode
    kernel: Kernel
    stride: Stride = 1


class TemporalPool(_Layer, frozen=True, tag="temporal_pool"):
    """Average or max pooling over time at every pixel; not executed on a single frame."""

    mode: PoolMode
    kernel: Kernel
    stride: Stride = 1


class NonLocal(_Layer, frozen=True, tag="non_local"):
    """A non-local block over all positions, residual inside (Wang et al. 2018).

    The dot-product form (equation 4) is linear in the positions. The embedded Gaussian (equation 3, a softmax
    over all positions) needs a matrix of their square, and is refused where they are too many.
    """

    bottleneck: Filters
    form: Attention = "dot_product"


class ContextGate(_Layer, frozen=True, tag="context_gate"):
    """Channels scaled by a sigmoid of one linear layer on their means (Miech et al. 2017)."""


class SqueezeExcite(_Layer, frozen=True, tag="squeeze_excite"):
    """Channels scaled through a squeezed pair of linear layers on their means (Hu et al. 2018).

    The hidden width is ``max(int(channels * ratio), 8)``, ``inner`` the activation there. Means are taken
    over the whole clip, or over each frame by itself.
    """

    ratio: Ratio
    inner: Activation = "relu"
    gate: Gate = "sigmoid"
    over: Extent = "clip"


class InvertedResidual(_Layer, frozen=True, tag="inverted_residual"):
    """Widen, depthwise convolution over each frame, narrow (Sandler et al. 2018); BatchNorm after each.

    The inner width is ``int(channels * expansion)``, nothing is widened where that changes nothing. The last
    convolution is linear, and the input is added where the shapes agree.
    """

    filters: Filters
    expansion: Expansion
    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "relu"


class TemporalInvertedResidual(_Layer, frozen=True, tag="temporal_inverted_residual"):
    """An inverted residual whose depthwise convolution runs over time; not executed on a single frame."""

    filters: Filters
    expansion: Expansion
    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "relu"


class TemporalDepthwiseConv(_Layer, frozen=True, tag="temporal_depthwise_conv"):
    """A 1-D convolution over time, one filter a channel, BatchNorm, activation; none on a single frame."""

    kernel: Kernel
    stride: Stride = 1
    activation: Activation = "none"


class Conv3d(_Layer, frozen=True, tag="conv3d"):
    """A kernel_frames x kernel x kernel convolution, BatchNorm, activation."""

    filters: Filters
    kernel: Kernel
    kernel_frames: Kernel
    stride: Stride = 1
    stride_frames: Stride = 1
    activation: Activation = "none"


class DepthwiseConv3d(_Layer, frozen=True, tag="depthwise_conv3d"):
    """A kernel_frames x kernel x kernel convolution, one filter a channel, BatchNorm, activation."""

    kernel: Kernel
    kernel_frames: Kernel
    stride: Stride = 1
    stride_frames: Stride = 1
    activation: Activation = "none"


class Dense(_Layer, frozen=True, tag="dense"):
    """One linear layer with a bias at every position, activation; no BatchNorm."""

    filters: Filters
    activation: Activation = "none"


class TemporalShift(_Layer, frozen=True, tag="temporal_shift"):
    """A share of the channels from the next frame, as large a one from the frame before (Lin et al. 2019)."""

    share: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.125


class FramePacking(_Layer, frozen=True, tag="frame_packing"):
    """Each ``frames`` consecutive frames as one, side by side in its channels (Zhai et al. 2024).

    The last group of a clip is filled up with zeros. What comes behind sees time as channels, at the price
    of one frame.
    """

    frames: Annotated[int, Meta(ge=1, le=1024)]


class ChannelTimeLearning(_Layer, frozen=True, tag="channel_time_learning"):
    """Convolutions over each frame whose channels hold time, BatchNorm, activation (Zhai et al. 2024, CTL).

    Channels weighed by a function of their means are convolved point by point; to that comes a 3x3
    convolution, gated at each position by a narrow path through a 7x7 kernel that knows where it is.
    """

    filters: Filters
    activation: Activation = "none"


class Activate(_Layer, frozen=True, tag="activation"):
    """An activation by itself."""

    function: Activation


class Branches(_Layer, frozen=True, tag="branches"):
    """Sequences of layers on one input, their outputs concatenated over the channels, or added.

    An empty branch hands on the input. A sum has two branches; where their shapes disagree, only the first is
    executed. A concatenation leaves out branches whose frames and pixels disagree with the first one's.
    """

    join: Literal["concat", "sum"]
    branches: tuple[tuple[Layer, ...], ...]

    def __post_init__(self) -> None:
        if len(self.branches) < 2 or (self.join == "sum" and len(self.branches) > 2):
            expected = "two branches to add" if self.join == "sum" else "two or more branches"
            raise ValueError(f"expected {expected}, got {len(self.branches)}")
        if not any(self.branches):
            raise ValueError("expected layers in at least one branch, got none")


Layer: TypeAlias = (
    SpatialConv
    | DepthwiseConv
    | TemporalConv
    | SpatialPool
    | TemporalPool
    | NonLocal
    | ContextGate
    | SqueezeExcite
    | InvertedResidual
    | TemporalInvertedResidual
    | TemporalDepthwiseConv
    | Conv3d
    | DepthwiseConv3d
    | Dense
    | TemporalShift
    | FramePacking
    | ChannelTimeLearning
    | Activate
    | Branches
)

DRAWN_LAYERS: dict[str, type[Layer]] = {
    str(layer.__struct_config__.tag): layer for layer in get_args(Layer) if layer not in (Activate, Branches)
}
"""The layers that a search space may draw, by their types."""
