"""The formats of lookup tables, as data: how each is written and read, and what it can express."""

from latency_db.lut.formats.base import Format, ReadTable
from latency_db.lut.formats.csv import FORMAT as CSV
from latency_db.lut.formats.json import FORMAT as JSON
from latency_db.lut.formats.nni import FORMAT as NNI
from latency_db.lut.formats.once_for_all import FORMAT as ONCE_FOR_ALL
from latency_db.lut.formats.parquet import FORMAT as PARQUET
from latency_db.lut.formats.tinynas import FORMAT as TINYNAS

FORMATS: dict[str, Format] = {known.name: known for known in (CSV, JSON, PARQUET, ONCE_FOR_ALL, NNI, TINYNAS)}

__all__ = ["FORMATS", "Format", "ReadTable"]
