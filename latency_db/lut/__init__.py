"""Lookup tables: the latency of each distinct layer call, in forms that other tools read and write."""

from latency_db.lut.files import export_table, read_table, shares
from latency_db.lut.formats import FORMATS
from latency_db.lut.table import LookupTable, LutRow, lookup_table

__all__ = [
    "FORMATS",
    "LookupTable",
    "LutRow",
    "export_table",
    "lookup_table",
    "read_table",
    "shares",
]
