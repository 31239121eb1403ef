"""The lookup table: rows of equal layer calls taken together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from latency_db.lut.blocks import inverted_residuals
from latency_db.reader import StoredProfile
from latency_db.records import CALL_COLUMNS, call_columns
from latency_db.store import LatencyStore
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.trace import trace

Origin = Literal["measured", "predicted", "imported"]
Size: TypeAlias = Annotated[int, Meta(ge=1, le=2**40)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=1e300)]


class LutRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One distinct layer call on one clip (its fields are ``CALL_COLUMNS``), and its latency in a pass.

    Measured: ``latency_ms`` is the median over the ``count`` places in networks that it was stamped at,
    ``mean_ms`` and ``variance_ms2`` their mean and variance, ``low_ms`` to ``high_ms`` the quartiles: the
    middle half. Predicted: ``count`` is 0 and the interval the predictor's. Imported: what the file said.
    None is what is not known. Sizes are in frames, pixels and channels, ``bytes_moved`` in bytes.
    """

    type: Annotated[str, Meta(min_length=1)]
    in_frames: Size
    in_height: Size
    in_width: Size
    in_channels: Size
    out_frames: Size
    out_height: Size
    out_width: Size
    out_channels: Size
    kernel: Size
    kernel_width: Size
    stride: Size
    kernel_frames: Size
    stride_frames: Size
    hidden: Count
    mode: str
    activation: str
    params: Count
    macs: Count
    bytes_moved: Count
    origin: Origin
    count: Count
    latency_ms: Amount
    mean_ms: Amount
    variance_ms2: Amount | None = None
    low_ms: Amount | None = None
    high_ms: Amount | None = None

    @property
    def call(self) -> LayerCall:
        """The layer call that the row is about."""
        return LayerCall(
            self.type,
            Shape(self.in_frames, self.in_height, self.in_width, self.in_channels),
            Shape(self.out_frames, self.out_height, self.out_width, self.out_channels),
            *(getattr(self, name) for name in CALL_COLUMNS[9:]),
        )


COLUMNS = LutRow.__struct_fields__

_UNITS = {
    "in_frames": "frames",
    "in_height": "pixels",
    "in_width": "pixels",
    "in_channels": "channels",
    "out_frames": "frames",
    "out_height": "pixels",
    "out_width": "pixels",
    "out_channels": "channels",
    "kernel": "frames in temporal layers, else pixels over rows",
    "kernel_width": "pixels over columns",
    "stride": "frames in temporal layers, else pixels",
    "kernel_frames": "frames",
    "stride_frames": "frames",
    "hidden": "channels",
    "params": "parameters",
    "macs": "multiply-adds for one clip",
    "bytes_moved": "bytes for one clip",
    "count": "measurements",
    "latency_ms": "ms",
    "mean_ms": "ms",
    "variance_ms2": "ms^2",
    "low_ms": "ms",
    "high_ms": "ms",
}


class LookupTable(msgspec.Struct, frozen=True):
    """Distinct layer calls of one device, sorted, and what the device is made of."""

    device: str
    fingerprint: dict[str, str]
    rows: tuple[LutRow, ...]

    @property
    def batch(self) -> str:
        """The clips of one pass."""
        return self.fingerprint.get("batch", "1")

    @property
    def precision(self) -> str:
        """What the device computes with."""
        return self.fingerprint.get("precision", "float32")

    @property
    def units(self) -> dict[str, str]:
        """What the numbers of a row are counted in; goes into every header that has room for it."""
        clips = "one clip" if self.batch == "1" else f"{self.batch} clips in one pass"
        return {name: f"ms for {clips}" if unit == "ms" else unit for name, unit in _UNITS.items()}


def lookup_table(store: LatencyStore, digest: str) -> LookupTable:
    """The table of a device in ``store``: a row for each distinct layer call that was timed undisturbed.

    What a runtime executed as one with other calls has no latency of its own, and no row.

    Raises:
        UserError: the store holds nothing of that device, or nothing undisturbed.
    """
    device = store.device(digest)
    stamped = store.rows(digest)
    calls_of_part = stamped.groupby(["genome", "part"])["position"].transform("size")
    undisturbed = stamped[(stamped["passes"] > 0) & (calls_of_part == 1)]
    if undisturbed.empty:
        raise UserError(
            f"expected undisturbed latencies of the device {digest} in {store.path}, but other work "
            f"disturbed every pass that was profiled; run `tvnsearch profile` again when that is over"
        )
    groups = undisturbed.groupby(list(CALL_COLUMNS), sort=True)["latency_ms"]
    rows = [LutRow(*_plain(columns), **_figures(latencies_ms.tolist())) for columns, latencies_ms in groups]
    return LookupTable(digest, device.fingerprint, tuple(rows))


def row_of(call: LayerCall, **figures: Any) -> LutRow:
    """The row of ``call``; ``figures`` are the columns after those of the call."""
    columns: Any = call_columns(call)
    return LutRow(*columns, **figures)


def block_rows(profiles: Iterable[StoredProfile]) -> tuple[LutRow, ...]:
    """A row for each distinct inverted residual in the profiled networks, its calls' latencies added up.

    Formats whose unit is the block need them; in a table they would be counted twice beside their calls.
    Networks without an undisturbed pass are left out.
    """
    latencies_ms: dict[LayerCall, list[float]] = {}
    for profile in profiles:
        if not profile.network.samples:
            continue
        for block, positions in inverted_residuals(trace(profile.genome, profile.classes)):
            if not _is_whole(profile.parts, positions):
                continue
            block_ms = sum(profile.latencies_ms[position] for position in positions)
            latencies_ms.setdefault(block, []).append(block_ms)
    rows = [row_of(block, **_figures(known)) for block, known in latencies_ms.items()]
    return tuple(sorted(rows, key=lambda row: call_columns(row.call)))


def _is_whole(parts: Sequence[int], positions: Sequence[int]) -> bool:
    """Whether none of the calls at ``positions`` is executed as one with another call."""
    own = {parts[position] for position in positions}
    return not any(part in own for place, part in enumerate(parts) if place not in set(positions))


def _figures(latencies_ms: Sequence[float]) -> dict[str, Any]:
    low_ms, middle_ms, high_ms = np.quantile(latencies_ms, (0.25, 0.5, 0.75)).tolist()
    return {
        "origin": "measured",
        "count": len(latencies_ms),
        "latency_ms": middle_ms,
        "mean_ms": float(np.mean(latencies_ms)),
        "variance_ms2": float(np.var(latencies_ms)),
        "low_ms": low_ms,
        "high_ms": high_ms,
    }


def _plain(columns: tuple[Any, ...]) -> list[Any]:
    """Without the types of numpy."""
    return [column if isinstance(column, str) else int(column) for column in columns]
