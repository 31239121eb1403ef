"""The lookup table as JSON: an object with the device, its fingerprint, the units, and the rows."""

from __future__ import annotations

import json
import re

import msgspec

from latency_db.lut.formats.base import Format, Header, ReadTable, refuse, text_of
from latency_db.lut.table import LookupTable, LutRow


class _File(Header, frozen=True, forbid_unknown_fields=True):
    rows: tuple[LutRow, ...]


def write(table: LookupTable) -> bytes:
    """The table as bytes: ``{"device": ..., "fingerprint": {...}, "units": {...}, "rows": [...]}``."""
    header = msgspec.json.encode(Header(table.device, table.fingerprint, table.units))
    rows = b",\n".join(msgspec.json.encode(row) for row in table.rows)
    return header.removesuffix(b"}") + b',"rows":[\n' + rows + b"\n]}\n"


def read(content: bytes, source: str) -> ReadTable:
    """The table in ``content``.

    Raises:
        UserError: a line of it is malformed.
    """
    text = text_of(content, source)
    try:
        file = msgspec.json.decode(text, type=_File)
    except msgspec.DecodeError as error:
        refuse(source, _line(text, str(error)), "a lookup table as JSON", error)
    return ReadTable(LookupTable(file.device, file.fingerprint, file.rows), {})


def _line(text: str, error: str) -> int:
    """Where the reader stopped: it names a byte, or a row, or ran out of text."""
    if byte := re.search(r"\(byte (\d+)\)", error):
        return text.encode()[: int(byte[1])].count(b"\n") + 1
    if row := re.search(r"\$\.rows\[(\d+)\]", error):
        return text.count("\n", 0, _start_of_row(text, int(row[1]))) + 1
    return 1 if "$" in error or "Object" in error else text.rstrip("\n").count("\n") + 1


def _start_of_row(text: str, number: int) -> int:
    decoder = json.JSONDecoder()
    rows = re.search(r'"rows"\s*:\s*\[\s*', text)
    assert rows is not None
    position = rows.end()
    for _ in range(number):
        _, end = decoder.raw_decode(text, position)
        following = re.compile(r"\s*,\s*").match(text, end)
        assert following is not None
        position = following.end()
    return position


FORMAT = Format("json", ".json", "every row; latencies in ms", write, read)
