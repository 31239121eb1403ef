"""The peers' networks written again in plain torch, from their papers and without our layers."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from tests.network.plain_peers.inception import plain_i3d, plain_s3d, plain_s3d_g
from tests.network.plain_peers.mobilenet import (
    plain_mobilenetv3_large,
    plain_mobilenetv3_small,
    plain_tsm_mobilenetv2,
)
from tests.network.plain_peers.movinet import plain_movinet_a0, plain_movinet_a1
from tests.network.plain_peers.r2plus1d import (
    plain_r2plus1d_18,
    plain_r2plus1d_34,
    plain_r2plus1d_50,
    plain_r2plus1d_101,
)
from tests.network.plain_peers.squeezetime import plain_squeezetime
from tests.network.plain_peers.x3d import plain_x3d

PLAIN: dict[str, Callable[[int], nn.Module]] = {
    "r2plus1d-18": plain_r2plus1d_18,
    "r2plus1d-34": plain_r2plus1d_34,
    "r2plus1d-50": plain_r2plus1d_50,
    "r2plus1d-101": plain_r2plus1d_101,
    "i3d": plain_i3d,
    "s3d": plain_s3d,
    "s3d-g": plain_s3d_g,
    "x3d-xs": plain_x3d,
    "x3d-s": plain_x3d,
    "x3d-m": plain_x3d,
    "movinet-a0": plain_movinet_a0,
    "movinet-a1": plain_movinet_a1,
    "mobilenetv3-small": plain_mobilenetv3_small,
    "mobilenetv3-large": plain_mobilenetv3_large,
    "mobilenetv3-large-1f": plain_mobilenetv3_large,
    "mobilenetv3-large-2f": plain_mobilenetv3_large,
    "tsm-mobilenetv2": plain_tsm_mobilenetv2,
    "squeezetime": plain_squeezetime,
}
"""By the peer's name, from the number of classes."""
