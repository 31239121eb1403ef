"""What a layer call tells of its latency before anything was run: one row of numbers a call.

Everything comes from the trace: sizes, work, waste, and what ran just before. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from predictors.call_table import CallTable, FloatArray, PreviousTable, waste
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.trace import Trace

CATEGORICAL = ("type", "mode", "activation", "previous_type")
"""Features that are codes, not quantities: places in the tuples of :mod:`predictors.call_table`."""

FEATURE_NAMES = (
    *CATEGORICAL,
    "kernel",
    "stride",
    "kernel_frames",
    "in_frames",
    "in_height_pixels",
    "in_channels",
    "out_frames",
    "out_height_pixels",
    "out_channels",
    "hidden_channels",
    "in_log2_values",
    "out_log2_values",
    "log2_macs",
    "log2_bytes_moved",
    "log2_param_bytes",
    "log2_working_set_bytes",
    "log2_macs_per_byte",
    "log2_macs_per_position",
    "log2_real_macs",
    "real_tap_share",
    "in_channels_waste_8",
    "in_channels_waste_16",
    "in_channels_waste_32",
    "out_channels_waste_16",
    "out_channels_waste_32",
    "border_share",
    "log2_window_reads",
    "log2_explicit_padding_bytes",
    "log2_pixels_per_frame",
    "previous_log2_working_set_bytes",
    "previous_log2_out_bytes",
    "previous_log2_macs",
    "previous_kernel",
    "network_log2_bytes_moved",
    "log2_weight_stream_bytes",
    "log2_macs_per_column",
)
"""The columns of :func:`call_features`; ``waste`` is what rounding channels up to a multiple adds to them."""

WORK_NAMES = (
    "launches",
    "real_macs",
    "padding_macs",
    "activation_bytes",
    "param_bytes",
    "window_reads",
    "explicit_padding_bytes",
    "hswish_values",
    "out_rows",
    "in_channels",
    "attention_macs",
)
"""The columns of :func:`call_work`: amounts of work that add up, in the units of their names."""

MODEL_COLUMNS = (*FEATURE_NAMES, "log_prior_ms", *(f"prior_share_{name}" for name in WORK_NAMES))
"""What LightGBM is given of a call: the features, and how the prior sees it."""

TRAFFIC_STEPS = 4
"""Steps of ``pass_traffic`` in a doubling: coarse enough for a mutated network to mostly keep its own."""


class CallInContext(NamedTuple):
    """A layer call at its place in a network: what its latency depends on.

    ``previous`` ran just before it, None for the first call; its output may still be in cache.
    ``pass_traffic`` is that of the network: in one that fits in the caches, a call finds its weights there
    from the pass before.
    """

    call: LayerCall
    previous: LayerCall | None
    pass_traffic: int


def in_context(network: Trace) -> list[CallInContext]:
    """The calls of a network in the order of execution."""
    return calls_in_context(network.calls, None, pass_traffic(network))


def calls_in_context(
    calls: Sequence[LayerCall], previous: LayerCall | None, traffic: int
) -> list[CallInContext]:
    """Calls that run one after the other, behind ``previous``, in a network of that ``pass_traffic``."""
    return [
        CallInContext(call, before, traffic) for call, before in zip(calls, [previous, *calls], strict=False)
    ]


def pass_traffic(network: Trace) -> int:
    """The log2 of the bytes that a pass of the network moves, in quarters."""
    return round(TRAFFIC_STEPS * math.log2(network.bytes_moved))


def call_features(calls: Sequence[CallInContext]) -> FloatArray:
    """One row for each call, columns as :data:`FEATURE_NAMES`."""
    table = CallTable([context.call for context in calls])
    previous = PreviousTable([context.previous for context in calls])
    pass_traffic = np.array([context.pass_traffic for context in calls], dtype=np.float64)
    real_tap_share = table.real_tap_share
    columns = (
        table.type,
        table.mode,
        table.activation,
        previous.type,
        table.kernel,
        table.stride,
        table.kernel_frames,
        table.in_frames,
        table.in_height,
        table.in_channels,
        table.out_frames,
        table.out_height,
        table.out_channels,
        table.hidden,
        _log2(table.in_values),
        _log2(table.out_values),
        _log2(table.macs),
        _log2(table.bytes_moved),
        _log2(table.param_bytes),
        _log2(table.working_set_bytes),
        _log2(table.macs) - _log2(table.bytes_moved),
        _log2(table.macs / table.out_positions),
        _log2(table.macs * real_tap_share),
        real_tap_share,
        waste(table.in_channels, 8),
        waste(table.in_channels, 16),
        waste(table.in_channels, 32),
        waste(table.out_channels, 16),
        waste(table.out_channels, 32),
        table.border_share,
        _log2(table.window_reads),
        _log2(table.explicit_padding_bytes),
        _log2(table.in_height * table.in_width),
        _log2(previous.working_set_bytes),
        _log2(previous.out_bytes),
        _log2(previous.macs),
        previous.kernel,
        pass_traffic / TRAFFIC_STEPS,
        _log2(table.out_frames * table.out_height * table.param_bytes),
        _log2(table.padded_macs / table.out_width),
    )
    return np.column_stack(columns)


def model_row(calls: Sequence[CallInContext], prior_ms: FloatArray, prior_shares: FloatArray) -> FloatArray:
    """A row of :data:`MODEL_COLUMNS` for each call, from what a prior says of it."""
    return np.column_stack([call_features(calls), np.log(prior_ms), prior_shares])


def call_work(calls: Sequence[LayerCall]) -> FloatArray:
    """One row of amounts that latency grows with for each call, columns as :data:`WORK_NAMES`."""
    table = CallTable(calls)
    padded_macs = table.padded_macs
    real_macs = padded_macs * table.real_tap_share
    columns = (
        np.ones(len(calls)),
        real_macs,
        padded_macs - real_macs,
        table.bytes_moved - table.param_bytes,
        table.param_bytes,
        table.window_reads,
        table.explicit_padding_bytes,
        table.hswish_values,
        table.out_frames * table.out_height,
        table.in_channels,
        table.attention_macs,
    )
    return np.column_stack(columns)


def _log2(amounts: FloatArray) -> FloatArray:
    return np.asarray(np.log2(1 + amounts))
