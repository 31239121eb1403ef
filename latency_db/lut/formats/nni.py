"""The ``lut.txt`` of NNI's FBNet: a Python dictionary a line.

``op_name`` is one of the example's primitives, ``op_data_shape`` (width, height, channels in, channels out,
stride), ``op_dtype`` is ``float``, ``op_latency`` is in microseconds as NNI's own measurements are
(microsoft/nni, ``nni/algorithms/nas/pytorch/fbnet/utils.py``, releases 2.7 and 2.8, and
``examples/nas/oneshot/pfld/lib/ops.py``). Its reader takes every line for a row, so there is no header: unit,
batch and origin are further keys of each row, which it does not look at.
"""

from __future__ import annotations

import ast
from decimal import Decimal

import msgspec
from msgspec import Struct

from latency_db.lut.blocks import INVERTED_RESIDUAL, WITH_SHORTCUT, inverted_residual_call
from latency_db.lut.formats.base import (
    Format,
    ReadTable,
    counted,
    foreign_row,
    numbered_lines,
    refuse,
    text_of,
)
from latency_db.lut.table import LookupTable, LutRow, Origin, Size
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import SpatialConv

POINTWISE = "conv1x1"
BLOCKS = {"mb_k3_e2": (3, 2), "mb_k3_e4": (3, 4), "mb_k5_e2": (5, 2)}
"""NNI's inverted residuals that widen: kernel and expansion. ``_res`` behind the name adds the input."""

_BLOCK_NAMES = {sizes: name for name, sizes in BLOCKS.items()}
_UNIT = "microseconds"
_MALFORMED = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


class _Record(Struct, frozen=True):
    op_name: str
    op_data_shape: tuple[Size, Size, Size, Size, Size]
    op_dtype: str
    op_latency: float
    op_latency_unit: str = _UNIT
    op_batch: Size = 1
    origin: Origin = "imported"


def expresses(row: LutRow) -> bool:
    """Whether the row is one of NNI's primitives; they end with ReLU, blocks without."""
    return _name(row) is not None and row.stride in (1, 2)


def write(table: LookupTable) -> bytes:
    """The table as bytes."""
    return "".join(_line(row) for row in table.rows).encode()


def read(content: bytes, source: str) -> ReadTable:
    """The table in ``content``; other primitives and types of numbers are left out and counted.

    Raises:
        UserError: a line of it is malformed.
    """
    rows, others = [], []
    for number, line in numbered_lines(text_of(content, source)):
        try:
            record = msgspec.convert(ast.literal_eval(line), _Record, strict=True)
            if record.op_latency_unit != _UNIT:
                raise ValueError(f"expected {_UNIT}, got {record.op_latency_unit}")
            call = _call(record)
            if call is None:
                others.append(record.op_name)
                continue
            latency_ms = float(Decimal(repr(record.op_latency)).scaleb(-3))
            rows.append(foreign_row(call, latency_ms, record.origin))
        except _MALFORMED as error:
            refuse(source, number, "a dictionary with op_name, op_data_shape, op_dtype, op_latency", error)
    return ReadTable(LookupTable(source, {}, tuple(rows)), counted(others))


def _name(row: LutRow) -> str | None:
    if row.activation != "relu" or row.kernel != row.kernel_width:
        return None
    if row.type == "spatial_conv" and row.kernel == 1:
        return POINTWISE
    if row.type != INVERTED_RESIDUAL:
        return None
    expand, rest = divmod(row.hidden, row.in_channels)
    name = _BLOCK_NAMES.get((row.kernel, expand))
    if name is None or rest:
        return None
    return f"{name}_res" if row.mode == WITH_SHORTCUT else name


def _line(row: LutRow) -> str:
    record = {
        "op_name": _name(row),
        "op_data_shape": (row.in_width, row.in_height, row.in_channels, row.out_channels, row.stride),
        "op_dtype": "float",
        "op_latency": float(Decimal(repr(row.latency_ms)).scaleb(3)),
        "op_latency_unit": _UNIT,
        "op_batch": row.in_frames,
        "origin": row.origin,
    }
    return f"{record}\n"


def _call(record: _Record) -> LayerCall | None:
    width, height, channels, filters, stride = record.op_data_shape
    in_shape = Shape(record.op_batch, height, width, channels)
    if record.op_dtype != "float" or stride > 2:
        return None
    if record.op_name == POINTWISE:
        return layer_call(SpatialConv(filters, 1, stride, "relu"), in_shape)
    name = record.op_name.removesuffix("_res")
    if name not in BLOCKS:
        return None
    kernel, expand = BLOCKS[name]
    # A block that strides has no shortcut there, whatever its name says.
    shortcut = name != record.op_name and stride == 1
    call = inverted_residual_call(in_shape, filters, channels * expand, kernel, stride, "relu", shortcut)
    if call is None:
        raise ValueError(f"a shortcut from {channels} to {filters} channels")
    return call


FORMAT = Format(
    "nni",
    ".txt",
    "pointwise convolutions with ReLU, inverted residuals mb_k3_e2, mb_k3_e4, mb_k5_e2; microseconds",
    write,
    read,
    keeps=("origin", "latency_ms"),
    expresses=expresses,
    whole_blocks=True,
    one_batch=True,
    float32_clips=True,
)
