"""A grid: the layer calls that a complete table shall have, from lists of sizes in a TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import msgspec
from msgspec import Meta, Struct

from latency_db.lut.blocks import inverted_residual
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall, Shape, add_call, concat_call, head_call
from tvnsearch.genome.genome import Block, Head
from tvnsearch.genome.layers import Activation, Branches, Filters, Layer
from tvnsearch.genome.trace import trace_block

MOST_POINTS = 1_000_000
"""Of one type of layer: more is a mistake in the lists, not a table."""

INPUT_KEYS = ("in_frames", "in_height", "in_channels")

_Size = Annotated[int, Meta(ge=1, le=65536)]
_Classes = Annotated[int, Meta(ge=1, le=2**20)]
_LAYERS: dict[str, type[Struct]] = {
    str(layer.__struct_config__.tag): layer for layer in get_args(Layer) if layer is not Branches
}
_JOINS: dict[str, dict[str, Any]] = {
    "add": {"activation": Activation},
    "concat": {},
    "head": {"classes": _Classes, "head": Head},
}


class Grid(Struct, frozen=True):
    """Distinct layer calls, and distinct blocks with the calls that each is made of.

    ``idle`` counts points at which nothing is executed, by type of layer.
    """

    calls: tuple[LayerCall, ...]
    blocks: tuple[tuple[LayerCall, tuple[LayerCall, ...]], ...]
    idle: dict[str, int]


def read_grid(path: Path) -> Grid:
    """The grid in a TOML file: a table for each type of layer, a list of values for each of its keys.

    Frames are square, ``in_height`` the width too, where no ``in_width`` is given. A layer that is executed
    as several calls gives all.

    Raises:
        UserError: the file cannot be read, or a key of it is wrong; the sentence names the key.
    """
    try:
        spec = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"expected a grid as TOML at {path}, but it cannot be read ({error.strerror}); name another file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"expected a grid as TOML at {path}, but it is malformed ({error})") from None
    if not spec:
        _refuse("a table like [spatial_conv]", f"none came in {path}")
    calls: dict[LayerCall, None] = {}
    blocks: dict[LayerCall, tuple[LayerCall, ...]] = {}
    idle: dict[str, int] = {}
    for kind, lists in spec.items():
        for point in _points(kind, lists):
            executed, block = _executed(kind, point)
            calls.update(dict.fromkeys(executed))
            if block is not None:
                blocks[block] = executed
            if not executed:
                idle[kind] = idle.get(kind, 0) + 1
    return Grid(tuple(calls), tuple(blocks.items()), idle)


def _points(kind: str, lists: object) -> Iterator[dict[str, Any]]:
    """Every combination of the values of one type of layer."""
    if kind not in _LAYERS and kind not in _JOINS:
        _refuse(f"a type of layer in [{kind}]", f"there is none of that name; say {_named(_LAYERS, _JOINS)}")
    if not isinstance(lists, dict):
        _refuse(f"a table [{kind}]", f"{lists!r} came")
    known = _keys(kind)
    for key, values in lists.items():
        if key not in known:
            _refuse(f"a key of {kind} in {kind}.{key}", f"it has only {_named(known)}")
        if not isinstance(values, list) or not values:
            _refuse(f"a list of values for {kind}.{key}", f"{values!r} came")
        for value in values:
            try:
                msgspec.convert(value, known[key][0])
            except msgspec.ValidationError as error:
                _refuse(f"values for {kind}.{key} that can be built", f"{value!r} came ({error})")
    missing = [key for key, (_, required) in known.items() if required and key not in lists]
    if missing:
        _refuse(f"a list of values for {kind}.{missing[0]}", "there is none")
    points = math.prod(map(len, lists.values()))
    if points > MOST_POINTS:
        _refuse(f"at most {MOST_POINTS} points in [{kind}]", f"its lists make {points}; shorten them")
    return (dict(zip(lists, values, strict=True)) for values in product(*lists.values()))


def _keys(kind: str) -> dict[str, tuple[Any, bool]]:
    """The keys of a type of layer: what values each takes, and whether it must be there."""
    keys: dict[str, tuple[Any, bool]] = dict.fromkeys(INPUT_KEYS[:2], (_Size, True))
    keys["in_channels"] = (Filters, True)
    keys["in_width"] = (_Size, False)
    if kind in _JOINS:
        return keys | {key: (values, key == "classes") for key, values in _JOINS[kind].items()}
    return keys | {
        field.name: (field.type, field.required) for field in msgspec.structs.fields(_LAYERS[kind])
    }


def _executed(kind: str, point: dict[str, Any]) -> tuple[tuple[LayerCall, ...], LayerCall | None]:
    frames, height, channels = (point.pop(key) for key in INPUT_KEYS)
    shape = Shape(frames, height, point.pop("in_width", height), channels)
    if kind == "head":
        return (head_call(shape, point["classes"], point.get("head", "mean")),), None
    if kind == "concat":
        return (concat_call(shape),), None
    if kind == "add":
        activation = point.get("activation", "none")
        return (msgspec.structs.replace(add_call(shape), activation=activation),), None
    layer = msgspec.convert({"type": kind, **point}, Layer)
    repeat = trace_block(Block((layer,)), shape, False).repeats[0]
    return repeat.calls, inverted_residual(repeat) if len(repeat.calls) > 1 else None


def _named(*names: dict[str, Any]) -> str:
    return ", ".join(sorted(name for group in names for name in group))


def _refuse(expected: str, came: str) -> NoReturn:
    raise UserError(f"expected {expected} in the grid, but {came}") from None
