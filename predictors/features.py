"""What a layer call tells of its latency before anything was run: one row of numbers a call.

Everything comes from the trace: sizes, work, waste, and what ran just before. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from predictors.call_table import TYPES, CallTable, FloatArray, waste
from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall
from tvnsearch.genome.trace import BlockTrace, Trace

CATEGORICAL = ("type", "mode", "activation", "previous_type")
"""Features that are codes, not quantities: places in the tuples of :mod:`predictors.call_table`."""

FEATURE_NAMES = (
    *CATEGORICAL,
    "kernel",
    "kernel_width",
    "stride",
    "kernel_frames",
    "in_frames",
    "in_height_pixels",
    "in_width_pixels",
    "in_channels",
    "out_frames",
    "out_height_pixels",
    "out_width_pixels",
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
    "log2_attended_pairs",
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
    "attended_pairs",
    "weight_stream_bytes",
    "far_weight_stream_bytes",
)
"""The columns of :func:`call_work`: amounts of work that add up, in the units of their names."""

MODEL_COLUMNS = (*FEATURE_NAMES, "log_prior_ms", *(f"prior_share_{name}" for name in WORK_NAMES))
"""What LightGBM is given of a call: the features, and how the prior sees it."""

FAR_WEIGHTS_BYTES = 2**24
"""Larger weights do not stay in the caches that cores share: every row of outputs reads them anew."""


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
    traffic = pass_traffic(network.bytes_moved)
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


def pass_traffic(bytes_moved: float) -> int:
    """The log2 of the bytes that a pass of a network moves, rounded: mutated networks mostly keep theirs."""
    return round(math.log2(bytes_moved))


class ContextTable(NamedTuple):
    """Layer calls at their places, as arrays; a call that runs at many places is held once.

    ``distinct`` are the different ones, those that only ran before others among them. ``rows`` is the row
    there of the call at each place, ``previous_rows`` that of the call before it, -1 for none.
    """

    distinct: CallTable
    rows: NDArray[np.intp]
    previous_rows: NDArray[np.intp]


def table_of(contexts: Sequence[CallInContext]) -> ContextTable:
    """The calls as arrays."""
    numbers: dict[LayerCall, int] = {}
    rows = [numbers.setdefault(context.call, len(numbers)) for context in contexts]
    previous_rows = [
        -1 if context.previous is None else numbers.setdefault(context.previous, len(numbers))
        for context in contexts
    ]
    return ContextTable(
        CallTable(list(numbers)), np.array(rows, dtype=np.intp), np.array(previous_rows, dtype=np.intp)
    )


def call_features(contexts: Sequence[CallInContext], table: ContextTable) -> FloatArray:
    """One row for each call, columns as :data:`FEATURE_NAMES`; ``table`` is :func:`table_of` them."""
    distinct = _distinct_features(table.distinct)
    features = distinct[table.rows]
    previous = distinct[:, _PREVIOUS][table.previous_rows]
    previous[table.previous_rows < 0] = _NOTHING_BEFORE
    features[:, _PREVIOUS] = previous
    features[:, _NETWORK_BYTES] = [context.pass_traffic for context in contexts]
    features[:, _RUNS_AGAIN] = [context.runs_again for context in contexts]
    return features


def _distinct_features(table: CallTable) -> FloatArray:
    """What calls tell by themselves, columns as :data:`FEATURE_NAMES`; zeros where only their place tells.

    In the columns ``previous_...`` stands what a call tells of the one after it.
    """
    nothing = np.zeros(len(table))
    amounts = {
        "type": table.type,
        "mode": table.mode,
        "activation": table.activation,
        "kernel": table.kernel,
        "kernel_width": table.kernel_width,
        "stride": table.stride,
        "kernel_frames": table.kernel_frames,
        "in_frames": table.in_frames,
        "in_height_pixels": table.in_height,
        "in_width_pixels": table.in_width,
        "in_channels": table.in_channels,
        "out_frames": table.out_frames,
        "out_height_pixels": table.out_height,
        "out_width_pixels": table.out_width,
        "out_channels": table.out_channels,
        "hidden_channels": table.hidden,
        "in_log2_values": table.in_values,
        "out_log2_values": table.out_values,
        "log2_macs": table.macs,
        "log2_bytes_moved": table.bytes_moved,
        "log2_param_bytes": table.param_bytes,
        "log2_working_set_bytes": table.working_set_bytes,
        "log2_macs_per_byte": nothing,
        "log2_macs_per_position": table.macs / table.out_positions,
        "log2_real_macs": table.macs * table.real_tap_share,
        "real_tap_share": table.real_tap_share,
        "in_channels_waste_8": table.in_channels,
        "in_channels_waste_16": table.in_channels,
        "in_channels_waste_32": table.in_channels,
        "out_channels_waste_16": table.out_channels,
        "out_channels_waste_32": table.out_channels,
        "border_share": table.border_share,
        "log2_window_reads": table.window_reads,
        "log2_explicit_padding_bytes": table.explicit_padding_bytes,
        "log2_pixels_per_frame": table.in_height * table.in_width,
        "previous_type": table.type,
        "previous_log2_working_set_bytes": table.working_set_bytes,
        "previous_log2_out_bytes": table.out_values * BYTES_PER_VALUE,
        "previous_log2_macs": table.macs,
        "previous_kernel": table.kernel,
        "network_log2_bytes_moved": nothing,
        "log2_weight_stream_bytes": table.weight_stream_bytes,
        "log2_macs_per_column": table.padded_macs / table.out_width,
        "log2_positions": table.in_positions,
        "log2_hidden_values": table.in_positions * table.attended_hidden,
        "log2_attention_macs": table.attention_macs,
        "log2_attended_pairs": table.attended_pairs,
        "hidden_waste_8": table.hidden,
        "hidden_waste_16": table.hidden,
        "runs_again": nothing,
    }
    columns = _stacked([amounts[name] for name in FEATURE_NAMES])
    columns[_LOGARITHMS] = np.log2(1 + columns[_LOGARITHMS])
    columns[_MACS_PER_BYTE] = columns[_MACS] - columns[_BYTES_MOVED]
    columns[_WASTES] = waste(columns[_WASTES], _WASTE_MULTIPLES)
    return np.ascontiguousarray(columns.T)


_PREVIOUS = [place for place, name in enumerate(FEATURE_NAMES) if name.startswith("previous_")]
_NOTHING_BEFORE = [len(TYPES) if FEATURE_NAMES[place] == "previous_type" else 0 for place in _PREVIOUS]
_NETWORK_BYTES = FEATURE_NAMES.index("network_log2_bytes_moved")
_RUNS_AGAIN = FEATURE_NAMES.index("runs_again")
_LOGARITHMS = [place for place, name in enumerate(FEATURE_NAMES) if "log2_" in name]
_MACS_PER_BYTE = FEATURE_NAMES.index("log2_macs_per_byte")
_MACS = FEATURE_NAMES.index("log2_macs")
_BYTES_MOVED = FEATURE_NAMES.index("log2_bytes_moved")
_WASTES = [place for place, name in enumerate(FEATURE_NAMES) if "_waste_" in name]
_WASTE_MULTIPLES = np.array([[int(FEATURE_NAMES[place].rpartition("_")[2])] for place in _WASTES])
"""Places of features that are worked out together."""


def model_row(
    contexts: Sequence[CallInContext], table: ContextTable, prior_ms: FloatArray, prior_shares: FloatArray
) -> FloatArray:
    """A row of :data:`MODEL_COLUMNS` for each call, from what a prior says of it."""
    return np.concatenate([call_features(contexts, table), np.log(prior_ms)[:, None], prior_shares], axis=1)


def call_work(table: CallTable) -> FloatArray:
    """One row of amounts that latency grows with for each call, columns as :data:`WORK_NAMES`."""
    real_macs = table.padded_macs * table.real_tap_share
    columns = [
        np.ones(len(table)),
        real_macs,
        table.padded_macs - real_macs,
        table.bytes_moved - table.param_bytes,
        table.param_bytes,
        table.window_reads,
        table.explicit_padding_bytes,
        table.hswish_values,
        table.out_frames * table.out_height,
        table.in_channels,
        table.attention_macs,
        table.attended_hidden**2,
        table.attended_pairs,
        table.weight_stream_bytes,
        np.where(table.param_bytes > FAR_WEIGHTS_BYTES, table.weight_stream_bytes, 0.0),
    ]
    return np.ascontiguousarray(_stacked(columns).T)


def _stacked(columns: Sequence[FloatArray]) -> FloatArray:
    """The columns as the rows of one array: much quicker than numpy's own stacking where they are short."""
    return np.concatenate(columns).reshape(len(columns), -1 if len(columns[0]) else 0)
