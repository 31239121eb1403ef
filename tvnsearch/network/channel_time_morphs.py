"""The network morphism of channel-time learning: a child's layer from its parent's."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.nn import functional

from tvnsearch.network.carrying import Carrier, Features, overlap
from tvnsearch.network.modules import ChannelTimeLearning, ConvUnit


def matched_channel_time(
    ours: ChannelTimeLearning, theirs: ChannelTimeLearning, features: Features, carrier: Carrier
) -> Features:
    """Carry a layer of channel-time learning over from the parent's, its activation left out.

    What is new of the weighing and of the interaction is read by nothing yet. On another map the positions
    are the parent's, interpolated as the original does at other resolutions.
    """
    exact, channels, factor = features.complete, features.source, 1 / features.scale
    weighing = overlap(ours.excite.in_channels, theirs.excite.in_channels)
    inner = overlap(ours.restore.in_channels, theirs.restore.in_channels)
    rows = overlap(ours.focus.out_channels, theirs.focus.out_channels)
    convolutions: list[tuple[str, Sequence[int], Sequence[int], float]] = [
        ("squeeze", weighing, channels, factor),
        ("excite", channels, weighing, 1.0),
        ("focus", rows, channels, factor),
        ("near", rows, channels, factor),
        ("reduce", inner, channels, factor),
        ("far", inner, inner, 1.0),
        ("restore", rows, inner, 1.0),
    ]
    for name, outputs, inputs, scaled in convolutions:
        mine, parents = ours.get_submodule(name), theirs.get_submodule(name)
        if isinstance(mine, ConvUnit) and isinstance(parents, ConvUnit):
            carrier.carry_norm(mine.norm, parents.norm, outputs)
            mine, parents = mine.conv, parents.conv
        assert isinstance(mine, nn.Conv2d) and isinstance(parents, nn.Conv2d)
        taps = [
            _centred(*sizes) for sizes in zip(mine.weight.shape[2:], parents.weight.shape[2:], strict=True)
        ]
        carrier.carry(mine.weight, parents.weight, outputs, inputs, exact=exact, factor=scaled, taps=taps)
        if mine.bias is not None and parents.bias is not None:
            carrier.carry(mine.bias, parents.bias, outputs, None, exact=exact)
    size = ours.positions.shape[2:]
    positions = functional.interpolate(theirs.positions, size, mode="bilinear", align_corners=True)
    carrier.carry(ours.positions[0], positions[0], inner, None, exact=exact)
    carrier.carry_norm(ours.norm, theirs.norm, rows)
    return Features(rows, theirs.focus.out_channels, exact=exact)


def _centred(kernel: int, parent_kernel: int) -> tuple[slice, slice]:
    """The taps of two odd kernels that look at the same places, of each."""
    common, lacking = min(kernel, parent_kernel), abs(kernel - parent_kernel) // 2
    inside, whole = slice(lacking, lacking + common), slice(0, common)
    return (inside, whole) if kernel > parent_kernel else (whole, inside)
