"""Layer calls as arrays: every field a column, and what follows from the fields."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from struct import Struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall
from tvnsearch.genome.kinds import DEPTHWISE, GATES, KINDS, OVER_BOTH, OVER_SPACE, OVER_TIME, POOLS
from tvnsearch.genome.windows import SEPARABLE_POOL_KERNEL, padding

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]

TYPES = tuple(KINDS)
MODES = (
    "",
    "avg",
    "max",
    "clip_sigmoid",
    "clip_hsigmoid",
    "frame_sigmoid",
    "frame_hsigmoid",
    "per_frame",
    "softmax",
)
ACTIVATIONS = ("none", "relu", "relu6", "swish", "hswish")
"""What codes stand for, each the place in its tuple."""

_TYPE_CODE = {name: code for code, name in enumerate(TYPES)}
_MODE_CODE = {name: code for code, name in enumerate(MODES)}
_ACTIVATION_CODE = {name: code for code, name in enumerate(ACTIVATIONS)}

_SQUARE_WINDOWS = frozenset(
    name
    for name, kind in KINDS.items()
    if kind.axis in ("space", "both") and (kind.depthwise or kind.family == "pool")
)
_GROUPS = {
    "over_time": OVER_TIME,
    "over_space": OVER_SPACE | OVER_BOTH,
    "spatial_pool": OVER_SPACE & POOLS,
    "windows": DEPTHWISE | POOLS,
    "square_windows": _SQUARE_WINDOWS,
    "non_local": frozenset({"non_local"}),
    "plain_product": GATES | {"head", "non_local"},
}
"""Types that have something in common; ``windows`` reads values around each output, a channel at a time."""

_GROUP_OF_TYPE = np.array([[name in group for name in TYPES] for group in _GROUPS.values()])
"""For each group and type code whether the type belongs to it."""

_FIELDS = Struct("24Q")
"""A row of fields; packed, they become an array in a third of the time that numpy takes to read tuples."""


class CallTable:
    """The fields of layer calls as one array each, and the geometry of their kernels.

    Rows are what a kernel slides over first: frames in temporal layers, ``size`` of them, and rows of pixels
    in all others. Columns are those of pixels, one in temporal layers. The frames of a 3-D convolution are
    taken as if they were not padded.
    """

    def __init__(self, calls: Sequence[LayerCall]) -> None:
        rows = []
        for call in calls:
            # A third quicker than passing both shapes with a star.
            in_frames, in_height, in_width, in_channels = call.in_shape
            out_frames, out_height, out_width, out_channels = call.out_shape
            kernel, kernel_width, stride = call.kernel, call.kernel_width, call.stride
            before = after = left = right = 0
            if kernel > 1 or kernel_width > 1:
                if call.type in OVER_TIME:
                    before, after = padding(in_frames, kernel, stride)
                else:
                    before, after = padding(in_height, kernel, min(stride, in_height))
                    left, right = padding(in_width, kernel_width, min(stride, in_width))
            rows.append(
                _FIELDS.pack(
                    _TYPE_CODE[call.type],
                    _MODE_CODE[call.mode],
                    _ACTIVATION_CODE[call.activation],
                    in_frames,
                    in_height,
                    in_width,
                    in_channels,
                    out_frames,
                    out_height,
                    out_width,
                    out_channels,
                    kernel,
                    kernel_width,
                    stride,
                    call.kernel_frames,
                    call.stride_frames,
                    call.hidden,
                    call.params,
                    call.macs,
                    call.bytes_moved,
                    before,
                    after,
                    left,
                    right,
                )
            )
        counts = np.frombuffer(b"".join(rows), dtype=np.uint64).reshape(len(rows), _FIELDS.size // 8)
        columns = np.ascontiguousarray(counts.T, dtype=np.float64)
        self.type, self.mode, self.activation = columns[:3]
        self.in_frames, self.in_height, self.in_width, self.in_channels = columns[3:7]
        self.out_frames, self.out_height, self.out_width, self.out_channels = columns[7:11]
        self.kernel, self.kernel_width, self.stride, self.kernel_frames, self.stride_frames = columns[11:16]
        self.hidden, self.params, self.macs, self.bytes_moved = columns[16:20]
        self._before, self._after, self._left, self._right = columns[20:]
        self.in_positions = self.in_frames * self.in_height * self.in_width
        self.in_values = self.in_positions * self.in_channels
        self.out_positions = self.out_frames * self.out_height * self.out_width
        self.out_values = self.out_positions * self.out_channels
        self._is = dict(zip(_GROUPS, _GROUP_OF_TYPE[:, self.type.astype(np.intp)], strict=True))
        self._over_time, self._over_space = self._is["over_time"], self._is["over_space"]
        self.size = np.where(self._over_time, self.in_frames, self.in_height)
        self._out_size = np.where(self._over_time, self.out_frames, self.out_height)
        self.param_bytes = self.params * BYTES_PER_VALUE
        self.working_set_bytes = (self.in_values + self.out_values + self.params) * BYTES_PER_VALUE

    def __len__(self) -> int:
        return len(self.type)

    @property
    def hswish_values(self) -> FloatArray:
        """Values that go through a hard swish."""
        is_hswish = self.activation == _ACTIVATION_CODE["hswish"]
        return np.where(is_hswish, self.out_values, 0.0)

    @cached_property
    def padded_macs(self) -> FloatArray:
        """MACs with the output channels of convolutions rounded up to vectors of 16."""
        return np.asarray(
            self.macs * np.where(self._is["plain_product"], 1.0, 1 + waste(self.out_channels, 16))
        )

    @cached_property
    def attention_macs(self) -> FloatArray:
        """MACs of the two products of a non-local block: of all pairs of positions where it has a softmax."""
        return np.asarray(2 * self.out_positions * self.attended_hidden * self._related_to)

    @cached_property
    def attended_hidden(self) -> FloatArray:
        """The inner width of non-local blocks, 0 for all others."""
        return np.where(self._is["non_local"], self.hidden, 0.0)

    @cached_property
    def attended_pairs(self) -> FloatArray:
        """Pairs of positions that a non-local block takes the softmax of."""
        return np.asarray(np.where(self._by_softmax, self.out_positions**2, 0.0))

    @property
    def _by_softmax(self) -> BoolArray:
        return np.asarray(self.mode == _MODE_CODE["softmax"])

    @property
    def _related_to(self) -> FloatArray:
        """What each position of a non-local block meets: its bottleneck's matrix, or all positions."""
        return np.asarray(np.where(self._by_softmax, self.out_positions, self.hidden))

    @cached_property
    def weight_stream_bytes(self) -> FloatArray:
        """Bytes of weights that are read where each row of outputs reads all of them."""
        return np.asarray(self.out_frames * self.out_height * self.param_bytes)

    @cached_property
    def window_reads(self) -> FloatArray:
        """Values that the windows of pooling and depthwise convolutions look at."""
        in_two_passes = self._is["spatial_pool"] & (
            np.maximum(self.kernel, self.kernel_width) >= SEPARABLE_POOL_KERNEL
        )
        in_squares = self._is["square_windows"] & ~in_two_passes
        reads = self.out_values * self.kernel * np.where(in_squares, self.kernel_width, 1.0)
        between_passes = self.out_frames * self.out_height * self.in_width * self.out_channels
        in_passes = between_passes * self.kernel + self.out_values * self.kernel_width
        reads = np.where(in_two_passes, in_passes, reads) * self.kernel_frames
        return np.where(self._is["windows"], reads, 0.0)

    @cached_property
    def pads_explicitly(self) -> BoolArray:
        """Where a kernel cannot pad by itself, for there is more padding on one side than on the other."""
        return np.asarray((self._before != self._after) | (self._left != self._right))

    @cached_property
    def explicit_padding_bytes(self) -> FloatArray:
        """Bytes of the maps that are copied into padded ones first."""
        growth = (self.size + self._before + self._after) / self.size
        growth *= np.where(self._over_time, 1.0, (self.in_width + self._left + self._right) / self.in_width)
        return np.where(self.pads_explicitly, self.in_values * BYTES_PER_VALUE * growth, 0.0)

    @cached_property
    def real_tap_share(self) -> FloatArray:
        """The share of a kernel's taps, over all outputs, that fall on the map; runtimes may skip the others.

        Padding that is copied counts as map.
        """
        rows = _tap_share(self.size, self._out_size, self.kernel, self.stride, self._before)
        columns = _tap_share(self.in_width, self.out_width, self.kernel_width, self.stride, self._left)
        share = np.where(self._over_time, rows, np.where(self._over_space, rows * columns, 1.0))
        return np.where(self.pads_explicitly, 1.0, share)

    @property
    def border_share(self) -> FloatArray:
        """How much of a map that is padded for centred kernels would be padding."""
        rows = self.size / (self.size + self.kernel - 1)
        columns = self.in_width / (self.in_width + self.kernel_width - 1)
        return np.asarray(1 - rows * np.where(self._over_time, 1.0, columns))


def _tap_share(
    size: FloatArray, out_size: FloatArray, kernel: FloatArray, stride: FloatArray, before: FloatArray
) -> FloatArray:
    """The share of the taps of all windows along an axis that fall on the map."""
    stride = np.minimum(stride, size)
    behind_last = (out_size - 1) * stride - before + kernel - size
    off_map = _falling_sum(before, stride, out_size) + _falling_sum(behind_last, stride, out_size)
    return np.asarray(1 - off_map / (out_size * kernel))


def waste(channels: FloatArray, multiple: int | NDArray[np.int_]) -> FloatArray:
    """What rounding ``channels`` up to a multiple adds to them, as a share of them; no channels stay none."""
    return np.asarray(np.ceil(channels / multiple) * multiple / np.maximum(channels, 1) - (channels > 0))


def _falling_sum(start: FloatArray, step: FloatArray, terms: FloatArray) -> FloatArray:
    """``start + (start - step) + (start - 2 step) + ...``: the positive ones of the first ``terms``."""
    count = np.minimum(np.maximum(np.ceil(start / step), 0), terms)
    return np.asarray(count * start - step * count * (count - 1) / 2)
