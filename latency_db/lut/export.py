"""Write a lookup table to a file, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from latency_db.lut.csv import to_csv
from latency_db.lut.json import to_json
from latency_db.lut.table import LookupTable
from tvnsearch.errors import UserError

FORMATS: dict[str, Callable[[LookupTable], str]] = {"csv": to_csv, "json": to_json}


def export_table(table: LookupTable, path: Path, file_format: str) -> None:
    """Write ``table`` to ``path`` in one of :data:`FORMATS`; a file that was there is replaced.

    Raises:
        UserError: there is no such format, or the file cannot be written.
    """
    if file_format not in FORMATS:
        raise UserError(
            f"expected a table format of {', '.join(FORMATS)}, but {file_format!r} came; say --format csv"
        )
    text = FORMATS[file_format](table)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"expected to write {path}, but that failed ({error.strerror}); choose another --out"
        ) from None
