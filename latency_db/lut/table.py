"""The lookup table: rows of equal layer calls taken together."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd

from latency_db.store import LatencyStore


class LutRow(msgspec.Struct, frozen=True):
    """One distinct layer call for one clip, and its latencies in the networks that it was stamped in.

    ``latency_ms`` is the median over ``count`` networks, ``mean_ms`` the mean, ``spread_ms`` the
    interquartile range. Sizes are in values, ``bytes_moved`` in bytes.
    """

    type: str
    in_frames: int
    in_height: int
    in_width: int
    in_channels: int
    out_frames: int
    out_height: int
    out_width: int
    out_channels: int
    kernel: int
    stride: int
    kernel_frames: int
    stride_frames: int
    hidden: int
    mode: str
    activation: str
    params: int
    macs: int
    bytes_moved: int
    count: int
    latency_ms: float
    mean_ms: float
    spread_ms: float


COLUMNS = LutRow.__struct_fields__
CALL_COLUMNS = COLUMNS[: COLUMNS.index("count")]


class LookupTable(msgspec.Struct, frozen=True):
    """All distinct layer calls of one device, sorted, and what the device is made of."""

    device: str
    fingerprint: dict[str, str]
    rows: tuple[LutRow, ...]


def lookup_table(store: LatencyStore, digest: str) -> LookupTable:
    """The table of a device in ``store``.

    Raises:
        UserError: the store holds nothing of that device.
    """
    device = store.device(digest)
    groups = store.rows(digest).groupby(list(CALL_COLUMNS), sort=True)["latency_ms"]
    quartiles = groups.quantile(np.array([0.25, 0.75])).unstack()
    figures = pd.DataFrame(
        {
            "count": groups.size(),
            "latency_ms": groups.median(),
            "mean_ms": groups.mean(),
            "spread_ms": quartiles[0.75] - quartiles[0.25],
        }
    )
    records = figures.reset_index().to_dict("records")
    return LookupTable(digest, device.fingerprint, tuple(msgspec.convert(records, list[LutRow])))
