"""Lookup tables: the latency of each distinct layer call, for any other tool."""

from latency_db.lut.export import FORMATS, export_table
from latency_db.lut.table import LookupTable, LutRow, lookup_table

__all__ = ["FORMATS", "LookupTable", "LutRow", "export_table", "lookup_table"]
