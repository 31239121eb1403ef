"""The lookup table as CSV: a comment line with the device, a header with units, a line a layer call."""

from __future__ import annotations

import csv
import io

import msgspec

from latency_db.lut.table import COLUMNS, LookupTable


def to_csv(table: LookupTable) -> str:
    """The table as text; ``pandas.read_csv(path, comment="#")`` reads it."""
    text = io.StringIO()
    device = msgspec.json.encode({"device": table.device, "fingerprint": table.fingerprint})
    text.write(f"# {device.decode()}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(msgspec.structs.astuple(row) for row in table.rows)
    return text.getvalue()
