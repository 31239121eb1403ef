"""The lookup table as Parquet: a typed column each, device and units in the schema's metadata."""

from __future__ import annotations

import importlib
import io
from typing import Any

import msgspec

from latency_db.lut.formats.base import Format, Header, ReadTable, convert_row
from latency_db.lut.table import COLUMNS, LookupTable
from tvnsearch.errors import UserError

WORDS = ("type", "mode", "activation", "origin")
_KEY = b"tvnsearch"


def write(table: LookupTable) -> bytes:
    """The table as bytes; a column's unit is in its own metadata, too.

    Raises:
        UserError: PyArrow is not installed.
    """
    arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
    header = msgspec.json.encode(Header(table.device, table.fingerprint, table.units))
    schema = arrow.schema(_fields(arrow, table.units), metadata={_KEY: header})
    content = io.BytesIO()
    columns = arrow.Table.from_pylist([msgspec.to_builtins(row) for row in table.rows], schema)
    parquet.write_table(columns, content)
    return content.getvalue()


def read(content: bytes, source: str) -> ReadTable:
    """The table in ``content``; errors name rows, for a Parquet file has no lines.

    Raises:
        UserError: it is malformed, or PyArrow is not installed.
    """
    arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
    try:
        columns = parquet.read_table(io.BytesIO(content), use_threads=False)
        header = msgspec.json.decode((columns.schema.metadata or {})[_KEY], type=Header)
    except (arrow.ArrowException, OSError, KeyError, msgspec.DecodeError) as error:
        raise UserError(
            f"expected a lookup table as Parquet in {source}, but it is not one "
            f"({' '.join(str(error).split())}); name the file's format with --format"
        ) from None
    rows = []
    for number, values in enumerate(columns.to_pylist(), 1):
        try:
            rows.append(convert_row(values))
        except msgspec.ValidationError as error:
            raise UserError(
                f"expected a row of the lookup table in row {number} of {source}, but {error} came"
            ) from None
    return ReadTable(LookupTable(header.device, header.fingerprint, tuple(rows)), {})


def _fields(arrow: Any, units: dict[str, str]) -> list[Any]:
    fields = []
    for name in COLUMNS:
        kind = arrow.string() if name in WORDS else arrow.float64() if "_ms" in name else arrow.int64()
        fields.append(arrow.field(name, kind, metadata={"unit": units.get(name, "")}))
    return fields


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(
            "expected PyArrow for a table as Parquet, but it is not installed; "
            "run `pip install 'tvnsearch[parquet]'`, or say --format csv"
        ) from None


FORMAT = Format("parquet", ".parquet", "every row; latencies in ms", write, read)
