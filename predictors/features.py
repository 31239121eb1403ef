"""What a layer call tells of its latency before anything was run: one row of numbers a call.

Everything comes from the trace: sizes, work, waste, and what ran just before. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from predictors.call_table import CallTable, FloatArray, PreviousTable, waste
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.trace import BlockTrace, Trace

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
    "log2_positions",
    "log2_hidden_values",
    "log2_attention_macs",
    "hidden_waste_8",
    "hidden_waste_16",
    "runs_again",
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
    "hidden_matrix_values",
    "weight_stream_bytes",
    "far_weight_stream_bytes",
)
"""The columns of :func:`call_work`: amounts of work that add up, in the units of their names."""

MODEL_COLUMNS = (*FEATURE_NAMES, "log_prior_ms", *(f"prior_share_{name}" for name in WORK_NAMES))
"""What LightGBM is given of a call: the features, and how the prior sees it."""

FAR_WEIGHTS_BYTES = 2**24
"""Larger weights do not stay in the caches that cores share: every row of outputs reads them anew."""

TRAFFIC_STEPS = 4
"""Steps of ``pass_traffic`` in a doubling: coarse enough for a mutated network to mostly keep its own."""


class CallInContext(Struct, frozen=True, gc=False, cache_hash=True):
    """A layer call at its place in a network: what its latency depends on.

    ``previous`` ran just before it, None for the first call; its output may still be in cache.
    ``pass_traffic`` is that of the network: in one that fits in the caches, a call finds its weights there
    from the pass before. ``runs_again`` says that the same call ran before it in its block: the code for it
    and the memory that it works in are at hand then (12 to 15 % less for small non-local blocks).
    """

    call: LayerCall
    previous: LayerCall | None
    pass_traffic: int
    runs_again: bool = False


def in_context(network: Trace) -> list[CallInContext]:
    """The calls of a network in the order of execution."""
    traffic = pass_traffic(network)
    contexts: list[CallInContext] = []
    previous: LayerCall | None = None
    for block in network.blocks:
        contexts += block_in_context(block, previous, traffic)
        previous = contexts[-1].call if contexts else None
    return [*contexts, CallInContext(network.head, previous, traffic)]


def block_in_context(block: BlockTrace, previous: LayerCall | None, traffic: int) -> list[CallInContext]:
    """The calls of a block that runs behind ``previous`` in a network of that ``pass_traffic``."""
    contexts = []
    ran: set[LayerCall] = set()
    for repeat in block.repeats:
        for call in repeat.calls:
            contexts.append(CallInContext(call, previous, traffic, call in ran))
            ran.add(call)
            previous = call
    return contexts


def pass_traffic(network: Trace) -> int:
    """The log2 of the bytes that a pass of the network moves, in quarters."""
    return round(TRAFFIC_STEPS * math.log2(network.bytes_moved))


def table_of(calls: Sequence[CallInContext]) -> CallTable:
    """The calls by themselves, as arrays."""
    return CallTable([context.call for context in calls])


def call_features(calls: Sequence[CallInContext], table: CallTable) -> FloatArray:
    """One row for each call, columns as :data:`FEATURE_NAMES`; ``table`` is :func:`table_of` them."""
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
        _log2(table.weight_stream_bytes),
        _log2(table.padded_macs / table.out_width),
        _log2(table.in_positions),
        _log2(table.in_positions * table.hidden),
        _log2(table.attention_macs),
        waste(table.hidden, 8),
        waste(table.hidden, 16),
        np.array([context.runs_again for context in calls], dtype=np.float64),
    )
    return np.column_stack(columns)


def model_row(
    calls: Sequence[CallInContext], table: CallTable, prior_ms: FloatArray, prior_shares: FloatArray
) -> FloatArray:
    """A row of :data:`MODEL_COLUMNS` for each call, from what a prior says of it."""
    return np.column_stack([call_features(calls, table), np.log(prior_ms), prior_shares])


def call_work(table: CallTable) -> FloatArray:
    """One row of amounts that latency grows with for each call, columns as :data:`WORK_NAMES`."""
    padded_macs = table.padded_macs
    real_macs = padded_macs * table.real_tap_share
    columns = (
        np.ones(len(padded_macs)),
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
        table.hidden**2,
        table.weight_stream_bytes,
        np.where(table.param_bytes > FAR_WEIGHTS_BYTES, table.weight_stream_bytes, 0.0),
    )
    return np.column_stack(columns)


def _log2(amounts: FloatArray) -> FloatArray:
    return np.asarray(np.log2(1 + amounts))
