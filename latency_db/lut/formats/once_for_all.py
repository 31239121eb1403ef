"""The YAML tables of ProxylessNAS and Once-for-All: a key a layer, each with ``count``, ``mean``, ``var``.

What a key means there (``search/utils/latency_estimator.py`` in mit-han-lab/proxylessnas,
``ProxylessNASLatencyTable`` in mit-han-lab/once-for-all): ``Conv`` is the first convolution, 3x3 of stride
2, ``Conv_1`` the pointwise one before the head, ``Logits`` everything after it, ``expanded_conv`` an inverted
residual of which ``expand`` is the ratio. All with ReLU6; sizes are height x width x channels. Readers use
``mean`` only, in ms.

``MBv3LatencyTable`` there reads tables of MobileNetV3 by keys of the same names: blocks say ``se`` and
``hs`` besides (``expand`` is their inner width), ``Conv_2`` comes after the pooling, and ``Conv`` and
``Conv_1`` end with h-swish.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import msgspec
from msgspec import Struct

from latency_db.lut.blocks import INVERTED_RESIDUAL, WITH_SHORTCUT, inverted_residual_call
from latency_db.lut.formats.base import (
    Format,
    Header,
    ReadTable,
    counted,
    foreign_row,
    header_line,
    read_beginning,
    refuse,
    text_of,
)
from latency_db.lut.table import LookupTable, LutRow, Origin
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall, Shape, head_call
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import Activation, SpatialConv

_SHAPES = re.compile(r"(\w+)-input:(\d+)x(\d+)x(\d+)-output:(?:(\d+)x(\d+)x)?(\d+)(?:-(.+))?")
_BLOCK = re.compile(r"expand:(\d+)-kernel:(\d+)-stride:(\d+)-idskip:([01])")
_MOBILENET_V3 = re.compile(r"Conv_2-.*|expanded_conv-.*-se:[01]-hs:[01]")
_IMAGE_CHANNELS = 3


class _Entry(Struct, frozen=True):
    mean: float
    count: int = 0
    var: float | None = None
    origin: Origin = "imported"


def expresses(row: LutRow) -> bool:
    """Whether the row is one of the four layers."""
    return _key(row) is not None


def write(table: LookupTable) -> bytes:
    """The table as bytes: a comment with device and units, then the mapping.

    Raises:
        UserError: PyYAML is not installed.
    """
    entries = {
        _key(row): {
            "count": row.count,
            "mean": row.mean_ms,
            **({} if row.variance_ms2 is None else {"var": row.variance_ms2}),
            "origin": row.origin,
        }
        for row in table.rows
    }
    frames = table.rows[0].in_frames
    units = {"count": "measurements", "mean": "ms", "var": "ms^2", "batch": f"{frames} images"}
    text: str = _yaml().safe_dump(entries, sort_keys=False)
    return (header_line(table, units) + text).encode()


def read(content: bytes, source: str) -> ReadTable:
    """The table in ``content``, of either network; keys of other layers are left out and counted.

    Raises:
        UserError: a line of it is malformed, or PyYAML is not installed.
    """
    text = text_of(content, source)
    beginning = read_beginning(text, source)
    header = beginning.header or Header(source, {}, {})
    frames = _frames(header, source, beginning.header_line)
    entries = _entries(text, source)
    of_mobilenet_v3 = any(_MOBILENET_V3.fullmatch(key) for key, _, _ in entries)
    rows, others, seen = [], [], set()
    for key, line, values in entries:
        if key in seen:
            refuse(source, line, "each layer once", f"{key} again")
        seen.add(key)
        try:
            entry = msgspec.convert(values, _Entry, strict=False)
            call = _call(key, frames, "hswish" if of_mobilenet_v3 else "relu6")
            if call is None:
                others.append(key.partition("-")[0])
                continue
            rows.append(foreign_row(call, entry.mean, entry.origin, entry.count, entry.var))
        except (msgspec.ValidationError, ValueError) as error:
            refuse(source, line, "a layer with its latency", f"{key} ({error})")
    return ReadTable(LookupTable(header.device, header.fingerprint, tuple(rows)), counted(others))


def _key(row: LutRow) -> str | None:
    out = f"{row.out_height}x{row.out_width}x{row.out_channels}"
    shapes = f"-input:{row.in_height}x{row.in_width}x{row.in_channels}-output:"
    if row.kernel != row.kernel_width:
        return None
    if row.type == INVERTED_RESIDUAL and row.activation == "relu6":
        ratio, rest = divmod(row.hidden, row.in_channels)
        skip = int(row.mode == WITH_SHORTCUT)
        block = f"-expand:{ratio}-kernel:{row.kernel}-stride:{row.stride}-idskip:{skip}"
        return None if rest else f"expanded_conv{shapes}{out}{block}"
    if row.type == "head" and row.in_frames == 1:
        return f"Logits{shapes}{row.out_channels}"
    if row.type == "spatial_conv" and row.activation == "relu6":
        if (row.kernel, row.stride, row.in_channels) == (3, 2, _IMAGE_CHANNELS):
            return f"Conv{shapes}{out}"
        if (row.kernel, row.stride) == (1, 1):
            return f"Conv_1{shapes}{out}"
    return None


def _call(key: str, frames: int, activation: Activation) -> LayerCall | None:
    """The call that a key stands for, None for other layers; ValueError where its sizes disagree.

    ``activation`` is what ``Conv`` and ``Conv_1`` end with.
    """
    match = _SHAPES.fullmatch(key)
    if match is None:
        raise ValueError("not of the form NAME-input:7x7x192-output:7x7x320")
    name, rest = match[1], match[8]
    height, width, channels, filters = (int(match[group]) for group in (2, 3, 4, 7))
    in_shape = Shape(frames, height, width, channels)
    if min(*in_shape, filters) < 1:
        raise ValueError("a size of 0")
    call: LayerCall | None
    if name == "Conv" and rest is None:
        call = layer_call(SpatialConv(filters, 3, 2, activation), in_shape)
    elif name == "Conv_1" and rest is None:
        call = layer_call(SpatialConv(filters, 1, 1, activation), in_shape)
    elif name == "Logits" and rest is None and match[5] is None and frames == 1:
        return head_call(in_shape, filters)
    elif name == "expanded_conv":
        block = _BLOCK.fullmatch(rest or "")
        if block is None:
            return None
        expand, kernel, stride, skip = map(int, block.groups())
        if min(expand, kernel, stride) < 1:
            raise ValueError("a size of 0")
        hidden = channels * expand
        call = inverted_residual_call(in_shape, filters, hidden, kernel, stride, "relu6", bool(skip))
    else:
        return None
    if call is None or [str(size) for size in call.out_shape[1:]] != [match[5], match[6], match[7]]:
        raise ValueError("its input, stride and output disagree")
    return call


def _frames(header: Header, source: str, line: int) -> int:
    batch = re.fullmatch(r"([1-9]\d*) images", header.units.get("batch", "1 images"))
    if batch is None:
        refuse(source, line, "a batch of images in the units", header.units["batch"])
    return int(batch[1])


def _entries(text: str, source: str) -> list[tuple[str, int, Any]]:
    """Each key with its line and its values."""
    yaml = _yaml()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            refuse(source, 1, "a mapping from layers to latencies", "something else")
        found = []
        for key, value in root.value:
            loader = yaml.SafeLoader("")
            line = key.start_mark.line + 1
            found.append((str(key.value), line, loader.construct_document(value)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        refuse(source, mark.line + 1 if mark else 1, "YAML", error.problem or error.context)
    except yaml.YAMLError as error:
        refuse(source, 1, "YAML", error)
    return found


def _yaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError:
        raise UserError(
            "expected PyYAML for a table of Once-for-All, but it is not installed; "
            "run `pip install 'tvnsearch[yaml]'`, or say --format csv"
        ) from None


FORMAT = Format(
    "once-for-all",
    ".yaml",
    "inverted residuals, the first and the last convolution, all with ReLU6, and the head on one frame; ms",
    write,
    read,
    keeps=("origin", "count", "mean_ms", "variance_ms2"),
    expresses=expresses,
    whole_blocks=True,
    one_batch=True,
    float32_clips=True,
)
