"""Layer calls as arrays: every field a column, and what follows from the fields."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from struct import Struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]

TYPES = (
    "spatial_conv",
    "depthwise_conv",
    "temporal_conv",
    "temporal_depthwise_conv",
    "conv3d",
    "depthwise_conv3d",
    "dense",
    "spatial_pool",
    "temporal_pool",
    "temporal_shift",
    "non_local",
    "context_gate",
    "squeeze_excite",
    "activation",
    "add",
    "concat",
    "head",
)
MODES = ("", "avg", "max", "clip_sigmoid", "clip_hsigmoid", "frame_sigmoid", "frame_hsigmoid", "per_frame")
ACTIVATIONS = ("none", "relu", "relu6", "swish", "hswish")
"""What codes stand for, each the place in its tuple."""

CUT_TYPES = ("spatial_conv", "depthwise_conv", "temporal_conv", "temporal_depthwise_conv")
"""Convolutions whose kernels are deployed without the taps that only meet padding."""

SEPARABLE_POOL_KERNEL = 4
"""From this kernel on, spatial pools run as two one-dimensional passes."""

_TYPE_CODE = {name: code for code, name in enumerate(TYPES)}
_MODE_CODE = {name: code for code, name in enumerate(MODES)}
_ACTIVATION_CODE = {name: code for code, name in enumerate(ACTIVATIONS)}

_GROUPS = {
    "cut": CUT_TYPES,
    "over_time": ("temporal_conv", "temporal_depthwise_conv", "temporal_pool"),
    "over_space": ("spatial_conv", "depthwise_conv", "spatial_pool", "conv3d", "depthwise_conv3d"),
    "spatial_pool": ("spatial_pool",),
    "windows": (
        "temporal_pool",
        "temporal_depthwise_conv",
        "spatial_pool",
        "depthwise_conv",
        "depthwise_conv3d",
    ),
    "square_windows": ("spatial_pool", "depthwise_conv", "depthwise_conv3d"),
    "plain_product": ("head", "context_gate", "squeeze_excite", "non_local"),
}
"""Types that have something in common; ``windows`` reads values around each output, a channel at a time."""

_GROUP_OF_TYPE = np.array([[name in group for name in TYPES] for group in _GROUPS.values()])
"""For each group and type code whether the type belongs to it."""

_FIELDS = Struct("19Q")
"""A row of fields; packed, they become an array in a third of the time that numpy takes to read tuples."""


class CallTable:
    """The fields of layer calls as one array each, and the geometry of their kernels.

    A kernel slides over one axis here: frames in temporal layers, rows in all others (columns are alike, and
    the frames of a 3-D convolution are taken as if they were); the map is ``size`` long on it. ``kernel``,
    ``macs`` and ``params`` are those of the deployed convolution, ``traced_kernel``, ``traced_macs`` and
    ``traced_params`` those of the call.
    """

    def __init__(self, calls: Sequence[LayerCall]) -> None:
        rows = []
        for call in calls:
            # A third quicker than passing both shapes with a star.
            in_frames, in_height, in_width, in_channels = call.in_shape
            out_frames, out_height, out_width, out_channels = call.out_shape
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
                    call.kernel,
                    call.stride,
                    call.kernel_frames,
                    call.stride_frames,
                    call.hidden,
                    call.params,
                    call.macs,
                    call.bytes_moved,
                )
            )
        counts = np.frombuffer(b"".join(rows), dtype=np.uint64).reshape(len(rows), _FIELDS.size // 8)
        columns = np.ascontiguousarray(counts.T, dtype=np.float64)
        self.type, self.mode, self.activation = columns[:3]
        self.in_frames, self.in_height, self.in_width, self.in_channels = columns[3:7]
        self.out_frames, self.out_height, self.out_width, self.out_channels = columns[7:11]
        self.traced_kernel, self.stride, self.kernel_frames, self.stride_frames = columns[11:15]
        self.hidden, self.traced_params, self.traced_macs, self.bytes_moved = columns[15:]
        self.in_positions = self.in_frames * self.in_height * self.in_width
        self.in_values = self.in_positions * self.in_channels
        self.out_positions = self.out_frames * self.out_height * self.out_width
        self.out_values = self.out_positions * self.out_channels
        self._is = dict(zip(_GROUPS, _GROUP_OF_TYPE[:, self.type.astype(np.intp)], strict=True))
        self._over_time, self._over_space = self._is["over_time"], self._is["over_space"]
        self.size = np.where(self._over_time, self.in_frames, self.in_height)
        self._out_size = np.where(self._over_time, self.out_frames, self.out_height)
        self._cut_to_map()
        self.param_bytes = self.params * BYTES_PER_VALUE
        self.working_set_bytes = (self.in_values + self.out_values + self.params) * BYTES_PER_VALUE
        self._after = (self._out_size - 1) * self.stride - self._before + self.kernel - self.size

    def __len__(self) -> int:
        return len(self.type)

    def _cut_to_map(self) -> None:
        """Leave of 2-D kernels what is executed: the taps that meet the map for some output."""
        kernel, before = self.traced_kernel, (self.traced_kernel - 1) // 2
        first = np.where(self._is["cut"], np.maximum(before - (self._out_size - 1) * self.stride, 0), 0)
        taps = np.where(self._is["cut"], np.minimum(kernel, self.size + before) - first, kernel)
        share = taps / kernel
        share = np.where(self._over_time, share, share**2)
        self._before, self.kernel = before - first, taps
        self.macs, self.params = self.traced_macs * share, self.traced_params * share
        self.bytes_moved = self.bytes_moved - (1 - share) * self.traced_params * BYTES_PER_VALUE

    @property
    def hswish_values(self) -> FloatArray:
        """Values that go through a hard swish."""
        is_hswish = self.activation == _ACTIVATION_CODE["hswish"]
        return np.where(is_hswish, self.out_values, 0.0)

    @property
    def traced_working_set_bytes(self) -> FloatArray:
        """What the call as traced holds at a time: the features that it reads and writes, and its weights."""
        values = self.in_values + self.out_values + self.traced_params
        return np.asarray(values * BYTES_PER_VALUE)

    @cached_property
    def padded_macs(self) -> FloatArray:
        """MACs with the output channels of convolutions rounded up to vectors of 16."""
        return np.asarray(
            self.macs * np.where(self._is["plain_product"], 1.0, 1 + waste(self.out_channels, 16))
        )

    @cached_property
    def attention_macs(self) -> FloatArray:
        """MACs of the two products of a non-local block."""
        return np.asarray(2 * self.out_positions * self.hidden**2)

    @cached_property
    def weight_stream_bytes(self) -> FloatArray:
        """Bytes of weights that are read where each row of outputs reads all of them."""
        return np.asarray(self.out_frames * self.out_height * self.param_bytes)

    @cached_property
    def window_reads(self) -> FloatArray:
        """Values that the windows of pooling and depthwise convolutions look at."""
        in_two_passes = self._is["spatial_pool"] & (self.kernel >= SEPARABLE_POOL_KERNEL)
        in_squares = self._is["square_windows"] & ~in_two_passes
        between_passes = self.out_frames * self.out_height * self.in_width * self.out_channels
        reads = np.where(in_two_passes, between_passes + self.out_values, self.out_values) * self.kernel
        reads *= np.where(in_squares, self.kernel, 1.0) * self.kernel_frames
        return np.where(self._is["windows"], reads, 0.0)

    @cached_property
    def pads_explicitly(self) -> BoolArray:
        """Where a kernel cannot pad by itself, for there is more padding after the map than before it."""
        out_of_symmetric = (self.size + 2 * self._before - self.kernel) // self.stride + 1
        return np.asarray((out_of_symmetric != self._out_size) & (self._over_time | self._over_space))

    @cached_property
    def explicit_padding_bytes(self) -> FloatArray:
        """Bytes of the maps that are copied into padded ones first."""
        growth = (self.size + self._before + np.maximum(self._after, 0)) / self.size
        padded_bytes = self.in_values * BYTES_PER_VALUE * np.where(self._over_time, growth, growth**2)
        return np.where(self.pads_explicitly, padded_bytes, 0.0)

    @cached_property
    def real_tap_share(self) -> FloatArray:
        """The share of a kernel's taps, over all outputs, that fall on the map; runtimes may skip the others.

        Padding that is copied counts as map.
        """
        taps = self._out_size * self.kernel
        off_map = _falling_sum(self._before, self.stride, self._out_size)
        off_map += _falling_sum(self._after, self.stride, self._out_size)
        share = 1 - off_map / taps
        share = np.where(self._over_space, share**2, np.where(self._over_time, share, 1.0))
        return np.where(self.pads_explicitly, 1.0, share)

    @property
    def border_share(self) -> FloatArray:
        """How much of the padded map is padding, along one axis."""
        return np.asarray((self.kernel - 1) / (self.size + self.kernel - 1))


def waste(channels: FloatArray, multiple: int | NDArray[np.int_]) -> FloatArray:
    """What rounding ``channels`` up to a multiple adds to them, as a share of them; no channels stay none."""
    return np.asarray(np.ceil(channels / multiple) * multiple / np.maximum(channels, 1) - (channels > 0))


def _falling_sum(start: FloatArray, step: FloatArray, terms: FloatArray) -> FloatArray:
    """``start + (start - step) + (start - 2 step) + ...``: the positive ones of the first ``terms``."""
    count = np.minimum(np.maximum(np.ceil(start / step), 0), terms)
    return np.asarray(count * start - step * count * (count - 1) / 2)
