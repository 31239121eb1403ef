"""R(2+1)D in plain torch (Tran et al. 2018, section 3.5; torchvision's, VMZ's, PyTorchVideo's)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from tests.network.plain_peers.parts import Classifier, Conv, linear, relu


def like_3d(channels: int, filters: int) -> int:
    """As many filters between space and time as give both together the weights of one 3x3x3 convolution."""
    whole = 3 * 3 * 3 * channels * filters
    of_each_middle_filter = 3 * 3 * channels + 3 * filters
    return whole // of_each_middle_filter


def space(channels: int, filters: int, stride: int = 1) -> Conv:
    return Conv(channels, filters, (1, 3, 3), (1, stride, stride), relu)


def time(channels: int, filters: int, stride: int = 1, last: bool = False) -> Conv:
    return Conv(channels, filters, (3, 1, 1), (stride, 1, 1), linear if last else relu)


class Residual(nn.Module):
    """ReLU of a branch and its input, which a pointwise convolution projects where the shape changes."""

    def __init__(
        self, branch: nn.Sequential, channels: int, filters: int, stride: int, stride_frames: int
    ) -> None:
        super().__init__()
        self.branch = branch
        self.project: nn.Module = nn.Identity()
        if channels != filters or stride > 1 or stride_frames > 1:
            self.project = Conv(channels, filters, stride=(stride_frames, stride, stride))

    def forward(self, features: Tensor) -> Tensor:
        return relu(self.branch(features) + self.project(features))


def basic_of_one_middle(channels: int, filters: int, stride: int, stride_frames: int) -> nn.Sequential:
    """Torchvision's: both middles are as wide as the first one asks for."""
    middle = like_3d(channels, filters)
    return nn.Sequential(
        space(channels, middle, stride),
        time(middle, filters, stride_frames),
        space(filters, middle),
        time(middle, filters, last=True),
    )


def basic(channels: int, filters: int, stride: int, stride_frames: int) -> nn.Sequential:
    """The authors': each middle is as wide as its own channels ask for."""
    first, second = like_3d(channels, filters), like_3d(filters, filters)
    return nn.Sequential(
        space(channels, first, stride),
        time(first, filters, stride_frames),
        space(filters, second),
        time(second, filters, last=True),
    )


def bottleneck(channels: int, filters: int, stride: int, stride_frames: int) -> nn.Sequential:
    """The authors' for depth 101: pointwise, space, time, pointwise."""
    width = filters // 4
    middle = like_3d(width, width)
    return nn.Sequential(
        Conv(channels, width, activation=relu),
        space(width, middle, stride),
        time(middle, width, stride_frames),
        Conv(width, filters),
    )


def bottleneck_time_first(channels: int, filters: int, stride: int, stride_frames: int) -> nn.Sequential:
    """PyTorchVideo's: pointwise, time, space, pointwise."""
    width = filters // 4
    return nn.Sequential(
        Conv(channels, width, activation=relu),
        time(width, width, stride_frames),
        space(width, width, stride),
        Conv(width, filters),
    )


Branch = Callable[[int, int, int, int], nn.Sequential]
Stages = tuple[tuple[int, int, int, int], ...]
"""Units and filters of each stage, and the strides of its first unit in space and in time."""


def stages(branch: Branch, table: Stages) -> list[nn.Module]:
    units: list[nn.Module] = []
    channels = 64
    for count, filters, first_stride, first_stride_frames in table:
        for number in range(count):
            stride = first_stride if number == 0 else 1
            stride_frames = first_stride_frames if number == 0 else 1
            body = branch(channels, filters, stride, stride_frames)
            units.append(Residual(body, channels, filters, stride, stride_frames))
            channels = filters
    return units


def split_stem() -> list[nn.Module]:
    """45 filters in space: a number of the authors' code that no formula gives."""
    return [Conv(3, 45, (1, 7, 7), (1, 2, 2), relu), Conv(45, 64, (3, 1, 1), activation=relu)]


def plain_r2plus1d_18(classes: int) -> nn.Module:
    table = ((2, 64, 1, 1), (2, 128, 2, 2), (2, 256, 2, 2), (2, 512, 2, 2))
    return nn.Sequential(*split_stem(), *stages(basic_of_one_middle, table), Classifier(512, classes))


def plain_r2plus1d_34(classes: int) -> nn.Module:
    table = ((3, 64, 1, 1), (4, 128, 2, 2), (6, 256, 2, 2), (3, 512, 2, 2))
    return nn.Sequential(*split_stem(), *stages(basic, table), Classifier(512, classes))


def plain_r2plus1d_101(classes: int) -> nn.Module:
    table = ((3, 256, 1, 1), (4, 512, 2, 2), (23, 1024, 2, 2), (3, 2048, 2, 2))
    return nn.Sequential(*split_stem(), *stages(bottleneck, table), Classifier(2048, classes))


def plain_r2plus1d_50(classes: int) -> nn.Module:
    """PyTorchVideo's stem is in space alone, and the first stage strides over pixels too."""
    stem = Conv(3, 64, (1, 7, 7), (1, 2, 2), relu)
    table = ((3, 256, 2, 1), (4, 512, 2, 1), (6, 1024, 2, 2), (3, 2048, 2, 2))
    return nn.Sequential(stem, *stages(bottleneck_time_first, table), Classifier(2048, classes))
