"""The lookup table as CSV: a comment line with device and units, the names of the columns, a line a row.

``pandas.read_csv(path, comment="#", keep_default_na=False)`` reads it.
"""

from __future__ import annotations

import csv
import io

import msgspec

from latency_db.lut.formats.base import (
    Format,
    ReadTable,
    convert_row,
    header_line,
    read_beginning,
    refuse,
    text_of,
)
from latency_db.lut.table import COLUMNS, LookupTable

_MAY_BE_UNKNOWN = ("variance_ms2", "low_ms", "high_ms")


def write(table: LookupTable) -> bytes:
    """The table as bytes; what is not known is an empty cell."""
    text = io.StringIO()
    text.write(header_line(table, table.units))
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(msgspec.structs.astuple(row) for row in table.rows)
    return text.getvalue().encode()


def read(content: bytes, source: str) -> ReadTable:
    """The table in ``content``.

    Raises:
        UserError: a line of it is malformed.
    """
    text = text_of(content, source)
    beginning = read_beginning(text, source)
    if beginning.header is None:
        first = text.partition("\n")[0] or "nothing"
        refuse(source, 1, "a comment with the device and the units as JSON", first)
    rest = "\n".join(text.split("\n")[beginning.lines :])
    lines = csv.reader(io.StringIO(rest, newline=""), strict=True)
    rows = []
    try:
        columns = next(lines, [])
        if columns != list(COLUMNS):
            came = ",".join(columns) or "nothing"
            refuse(source, beginning.lines + 1, f"the columns {','.join(COLUMNS)}", came)
        for cells in lines:
            line = beginning.lines + lines.line_num
            if not "".join(cells).strip() and len(cells) < 2:
                continue  # an empty line
            if len(cells) != len(COLUMNS):
                refuse(source, line, f"{len(COLUMNS)} cells", f"{len(cells)}")
            values: dict[str, str | None] = dict(zip(COLUMNS, cells, strict=True))
            for name in _MAY_BE_UNKNOWN:
                values[name] = values[name] or None
            try:
                rows.append(convert_row(values))
            except msgspec.ValidationError as error:
                refuse(source, line, "a row of the lookup table", error)
    except csv.Error as error:
        refuse(source, beginning.lines + lines.line_num, "comma-separated values", error)
    header = beginning.header
    return ReadTable(LookupTable(header.device, header.fingerprint, tuple(rows)), {})


FORMAT = Format("csv", ".csv", "every row; latencies in ms", write, read)
