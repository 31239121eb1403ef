"""Layer calls as arrays: every field a column, and what follows from the fields."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
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


class CallTable:
    """The fields of layer calls as one array each, and the geometry of their kernels.

    A kernel slides over one axis here: frames in temporal layers, rows in all others (columns are alike, and
    the frames of a 3-D convolution are taken as if they were). ``kernel``, ``macs`` and ``params`` are those
    of the deployed convolution.
    """

    def __init__(self, calls: Sequence[LayerCall]) -> None:
        rows = [
            (
                _TYPE_CODE[call.type],
                _MODE_CODE[call.mode],
                _ACTIVATION_CODE[call.activation],
                *call.in_shape,
                *call.out_shape,
                call.kernel,
                call.stride,
                call.kernel_frames,
                call.stride_frames,
                call.hidden,
                call.params,
                call.macs,
                call.bytes_moved,
            )
            for call in calls
        ]
        columns = np.ascontiguousarray(np.array(rows, dtype=np.float64).reshape(-1, 19).T)
        self.type, self.mode, self.activation = columns[:3]
        self._type_codes = self.type.astype(np.intp)
        self.in_frames, self.in_height, self.in_width, self.in_channels = columns[3:7]
        self.out_frames, self.out_height, self.out_width, self.out_channels = columns[7:11]
        self.kernel, self.stride, self.kernel_frames, self.stride_frames = columns[11:15]
        self.hidden, self.params, self.macs, self.bytes_moved = columns[15:]
        self.in_positions = self.in_frames * self.in_height * self.in_width
        self.in_values = self.in_positions * self.in_channels
        self.out_positions = self.out_frames * self.out_height * self.out_width
        self.out_values = self.out_positions * self.out_channels
        self._over_time = self.is_type("temporal_conv", "temporal_depthwise_conv", "temporal_pool")
        self._over_space = self.is_type(
            "spatial_conv", "depthwise_conv", "spatial_pool", "conv3d", "depthwise_conv3d"
        )
        self._size = np.where(self._over_time, self.in_frames, self.in_height)
        self._out_size = np.where(self._over_time, self.out_frames, self.out_height)
        self._before = (self.kernel - 1) // 2
        self._cut_to_map()
        self.param_bytes = self.params * BYTES_PER_VALUE
        self.working_set_bytes = (self.in_values + self.out_values + self.params) * BYTES_PER_VALUE
        self._after = (self._out_size - 1) * self.stride - self._before + self.kernel - self._size

    def _cut_to_map(self) -> None:
        """Leave of 2-D kernels what is executed: the taps that meet the map for some output."""
        is_cut = self.is_type(*CUT_TYPES)
        first = np.maximum(self._before - (self._out_size - 1) * self.stride, 0)
        taps = np.where(is_cut, np.minimum(self.kernel, self._size + self._before) - first, self.kernel)
        self._before = np.where(is_cut, self._before - first, self._before)
        share = (taps / self.kernel) ** np.where(self._over_time, 1, 2)
        self.bytes_moved = self.bytes_moved - (1 - share) * self.params * BYTES_PER_VALUE
        self.kernel, self.macs, self.params = taps, self.macs * share, self.params * share

    def is_type(self, *names: str) -> BoolArray:
        """Which calls are of one of these types."""
        found: BoolArray = _mask(names)[self._type_codes]
        return found

    @property
    def hswish_values(self) -> FloatArray:
        """Values that go through a hard swish."""
        is_hswish = self.activation == _ACTIVATION_CODE["hswish"]
        return np.where(is_hswish, self.out_values, 0.0)

    @cached_property
    def padded_macs(self) -> FloatArray:
        """MACs with the output channels of convolutions rounded up to vectors of 16."""
        is_product = self.is_type("head", "context_gate", "squeeze_excite", "non_local")
        return np.asarray(self.macs * np.where(is_product, 1.0, 1 + waste(self.out_channels, 16)))

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
        in_two_passes = self.is_type("spatial_pool") & (self.kernel >= SEPARABLE_POOL_KERNEL)
        in_squares = self.is_type("spatial_pool", "depthwise_conv") & ~in_two_passes
        between_passes = self.out_frames * self.out_height * self.in_width * self.out_channels
        return np.select(
            [
                self.is_type("temporal_pool", "temporal_depthwise_conv"),
                in_squares,
                self.is_type("depthwise_conv3d"),
                in_two_passes,
            ],
            [
                self.out_values * self.kernel,
                self.out_values * self.kernel**2,
                self.out_values * self.kernel**2 * self.kernel_frames,
                (between_passes + self.out_values) * self.kernel,
            ],
            default=0.0,
        )

    @cached_property
    def pads_explicitly(self) -> BoolArray:
        """Where a kernel cannot pad by itself, for there is more padding after the map than before it."""
        out_of_symmetric = (self._size + 2 * self._before - self.kernel) // self.stride + 1
        return np.asarray((out_of_symmetric != self._out_size) & (self._over_time | self._over_space))

    @cached_property
    def explicit_padding_bytes(self) -> FloatArray:
        """Bytes of the maps that are copied into padded ones first."""
        growth = (self._size + self._before + np.maximum(self._after, 0)) / self._size
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
        return np.asarray((self.kernel - 1) / (self._size + self.kernel - 1))


class PreviousTable:
    """The little that matters of the calls before; no call at all has the type ``len(TYPES)`` and zeros."""

    def __init__(self, calls: Sequence[LayerCall | None]) -> None:
        first = (len(TYPES), *(0,) * 11)
        rows = [
            first
            if call is None
            else (
                _TYPE_CODE[call.type],
                *call.in_shape,
                *call.out_shape,
                call.params,
                call.macs,
                call.kernel,
            )
            for call in calls
        ]
        columns = np.ascontiguousarray(np.array(rows, dtype=np.float64).reshape(-1, 12).T)
        self.type, self.macs, self.kernel = columns[0], columns[10], columns[11]
        self.out_bytes = columns[5:9].prod(axis=0) * BYTES_PER_VALUE
        self.working_set_bytes = (columns[1:5].prod(axis=0) + columns[9]) * BYTES_PER_VALUE + self.out_bytes


@lru_cache(maxsize=64)
def _mask(names: tuple[str, ...]) -> BoolArray:
    """For each type code whether it is one of those types."""
    return np.isin(np.arange(len(TYPES)), [_TYPE_CODE[name] for name in names])


def waste(channels: FloatArray, multiple: int) -> FloatArray:
    """What rounding ``channels`` up to a multiple adds to them, as a share of them; no channels stay none."""
    return np.asarray(np.ceil(channels / multiple) * multiple / np.maximum(channels, 1) - (channels > 0))


def _falling_sum(start: FloatArray, step: FloatArray, terms: FloatArray) -> FloatArray:
    """``start + (start - step) + (start - 2 step) + ...``: the positive ones of the first ``terms``."""
    count = np.clip(np.ceil(start / step), 0, terms)
    return np.asarray(count * start - step * count * (count - 1) / 2)
