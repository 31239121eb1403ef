"""The lookup table as JSON: an object with the device, its fingerprint, and the rows."""

from __future__ import annotations

import msgspec

from latency_db.lut.table import LookupTable


def to_json(table: LookupTable) -> str:
    """The table as text: ``{"device": ..., "fingerprint": {...}, "rows": [{"type": ..., ...}, ...]}``."""
    return msgspec.json.format(msgspec.json.encode(table), indent=1).decode() + "\n"
