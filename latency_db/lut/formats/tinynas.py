"""The convolution libraries of TinyNAS (``conv_data.out``): ``{Regular,1,16,7,7,16,1,1,0} 0.123`` a line.

In braces the type (``Regular`` or ``Depthwise``), batch, channels in, height, width, channels out, kernel,
stride, and whether a sum is fused in; then the latency of the batch in ms (``tinynas/latency/op_profiler`` in
alibaba/lightweight-neural-architecture-search). Frames are the batch: spatial layers run that way. Its reader
takes every line for a row and knows no further field, so neither unit nor origin can stand in the file. Its
networks put ReLU behind their convolutions, which a row does not say either.
"""

from __future__ import annotations

import re

import msgspec

from latency_db.lut.formats.base import (
    Format,
    ReadTable,
    counted,
    foreign_row,
    numbered_lines,
    refuse,
    text_of,
)
from latency_db.lut.table import LookupTable, LutRow
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import DepthwiseConv, SpatialConv

TYPES = {"spatial_conv": "Regular", "depthwise_conv": "Depthwise"}

_LINE = re.compile(r"\{(Regular|Depthwise)" + r",([1-9]\d{0,8})" * 7 + r",([01])\}\s+(\S+)")


def expresses(row: LutRow) -> bool:
    """Whether the row is a convolution over space, with ReLU and a square kernel that has a middle."""
    is_odd_square = row.kernel == row.kernel_width and row.kernel % 2 == 1
    return row.type in TYPES and row.activation == "relu" and is_odd_square


def write(table: LookupTable) -> bytes:
    """The table as bytes."""
    return "".join(
        f"{{{TYPES[row.type]},{row.in_frames},{row.in_channels},{row.in_height},{row.in_width},"
        f"{row.out_channels},{row.kernel},{row.stride},0}} {row.latency_ms!r}\n"
        for row in table.rows
    ).encode()


def read(content: bytes, source: str) -> ReadTable:
    """The table in ``content``; fused sums, even kernels and failed measurements (-1) are left out, counted.

    Raises:
        UserError: a line of it is malformed.
    """
    rows, others = [], []
    for number, line in numbered_lines(text_of(content, source)):
        match = _LINE.fullmatch(line)
        if match is None:
            refuse(source, number, "a line like {Regular,1,16,7,7,16,1,1,0} 0.123", line)
        kind, *sizes, fused, latency = match.groups()
        try:
            latency_ms = float(latency)
            if latency_ms == -1:
                others.append("failed measurement")
            elif fused == "1":
                others.append(f"{kind} with a fused sum")
            elif int(sizes[5]) % 2 == 0:
                others.append(f"{kind} of even kernel")
            else:
                rows.append(foreign_row(_call(kind, *map(int, sizes)), latency_ms))
        except (msgspec.ValidationError, ValueError) as error:
            refuse(source, number, "a convolution and its latency in ms", f"{line} ({error})")
    return ReadTable(LookupTable(source, {}, tuple(rows)), counted(others))


def _call(
    kind: str, batch: int, channels: int, height: int, width: int, filters: int, kernel: int, stride: int
) -> LayerCall:
    in_shape = Shape(batch, height, width, channels)
    if kind == "Regular":
        call = layer_call(SpatialConv(filters, kernel, stride, "relu"), in_shape)
    elif filters != channels:
        raise ValueError("a depthwise convolution that changes its channels")
    else:
        call = layer_call(DepthwiseConv(kernel, stride, "relu"), in_shape)
    assert call is not None
    return call


FORMAT = Format(
    "tinynas",
    ".out",
    "convolutions over space with ReLU and odd kernels, frames as the batch; ms for the batch",
    write,
    read,
    keeps=("latency_ms",),
    expresses=expresses,
    float32_clips=True,
)
