"""What a format of lookup tables is, and what the readers share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from latency_db.lut.table import COLUMNS, LookupTable, LutRow, Origin
from latency_db.records import call_columns
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall


class ReadTable(Struct, frozen=True):
    """A table from a file, and how many of the file's rows it leaves out, by the names they have there."""

    table: LookupTable
    left_out: dict[str, int]


class Format(Struct, frozen=True):
    """How a table is written as bytes and read from them; ``read`` is told the file's name for its errors.

    ``expresses`` says whether a row has a form there that its readers take for what it is. ``keeps`` are the
    columns that survive (all that make up the call do), ``holds`` says in words what rows and units there
    are. ``whole_blocks``: the rows to write are inverted residuals beside layer calls. ``one_batch``: a file
    is for one batch of images, so all its rows have one number of frames. ``float32_clips``: it is of single
    clips in float32, and could not say otherwise.
    """

    name: str
    suffix: str
    holds: str
    write: Callable[[LookupTable], bytes]
    read: Callable[[bytes, str], ReadTable]
    keeps: tuple[str, ...] = COLUMNS
    expresses: Callable[[LutRow], bool] = lambda row: True
    whole_blocks: bool = False
    one_batch: bool = False
    float32_clips: bool = False


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says about its rows before it gives them."""

    device: str
    fingerprint: dict[str, str]
    units: dict[str, str]


def header_line(table: LookupTable, units: Mapping[str, str]) -> str:
    """The device and the units as a comment that readers of ``#`` comments skip."""
    header = Header(table.device, table.fingerprint, dict(units))
    # What YAML takes for the end of a line, or for no character at all, is written as an escape.
    text = json.dumps(msgspec.to_builtins(header), separators=(",", ":")).replace("\x7f", "\\u007f")
    return f"# {text}\n"


class Beginning(Struct, frozen=True):
    """The lines of a file before its first row: how many, and the header with its number, if there is one."""

    lines: int
    header: Header | None
    header_line: int


def read_beginning(text: str, source: str) -> Beginning:
    """The comments and empty lines that ``text`` begins with; the header is the one that holds an object.

    Raises:
        UserError: that one is not as :func:`header_line` writes it.
    """
    header, header_line, number = None, 1, 0
    for line in map(str.strip, text.split("\n")):
        if line and not line.startswith(("#", "%YAML", "---")):  # the last two begin a document in YAML
            break
        number += 1
        said = line.removeprefix("#").strip()
        if said.startswith("{") and header is None:
            header_line = number
            try:
                header = msgspec.json.decode(said, type=Header)
            except msgspec.DecodeError as error:
                refuse(source, number, "a comment with the device and the units as JSON", error)
    return Beginning(number, header, header_line)


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, stripped, with their numbers from 1."""
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        if line:
            yield number, line


def foreign_row(
    call: LayerCall,
    latency_ms: float,
    origin: Origin = "imported",
    count: int = 0,
    variance_ms2: float | None = None,
) -> LutRow:
    """A row whose file gives one latency.

    Raises:
        msgspec.ValidationError: a figure is out of its range.
    """
    figures = (origin, count, latency_ms, latency_ms, variance_ms2)
    return convert_row(dict(zip(COLUMNS, (*call_columns(call), *figures), strict=False)))


def convert_row(columns: Mapping[str, Any]) -> LutRow:
    """A row from values as they are in a file: numbers may be text.

    Raises:
        msgspec.ValidationError: a column is missing, unknown, or out of its range.
    """
    return msgspec.convert(columns, LutRow, strict=False)


def text_of(content: bytes, source: str) -> str:
    """The file's text, without the mark of the order of bytes that some editors begin it with.

    Raises:
        UserError: it is not UTF-8.
    """
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        refuse(source, content.count(b"\n", 0, error.start) + 1, "UTF-8 text", error.reason)


def counted(names: Iterable[str]) -> dict[str, int]:
    """How often each name comes, in the order of names."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def refuse(source: str, line: int, expected: str, came: object) -> NoReturn:
    """End with a sentence about one line of a file, counted from 1."""
    raise UserError(
        f"expected {expected} in line {line} of {source}, but {_brief(came)} came; "
        f"correct that line, or name the file's format with --format"
    ) from None


def _brief(came: object) -> str:
    text = " ".join(str(came).split())
    return text if len(text) <= 200 else f"{text[:200]}..."
