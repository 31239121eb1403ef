"""Lookup tables that came from files: kept by name beside the measurements, to be shown and exported again.

Predictors are not fitted to them: a row in a foreign table knows neither its neighbours nor its network.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import msgspec

from latency_db.lut.table import LookupTable
from latency_db.records import now
from latency_db.schema import connect, connect_existing, naming_database_errors
from tvnsearch.errors import UserError

_DIGEST = re.compile(r"[0-9a-f]{12}")


def keep_table(database: Path, name: str, file_format: str, table: LookupTable) -> None:
    """Keep ``table`` under ``name``; one that had the name already is replaced.

    Raises:
        UserError: the name is that of a measured device, or the database cannot be used.
    """
    if not name or _DIGEST.fullmatch(name):
        raise UserError(
            f"expected a name for the imported table that is not a measured device's, but {name!r} came; "
            f"choose one with --name"
        )
    with closing(connect(database)) as connection, naming_database_errors(database):
        connection.execute(
            "INSERT OR REPLACE INTO imported_tables (name, imported, format, content) VALUES (?, ?, ?, ?)",
            (name, now(), file_format, msgspec.json.encode(table).decode()),
        )


def imported_table(database: Path, name: str) -> LookupTable:
    """The table that was imported under ``name``.

    Raises:
        UserError: there is none; the sentence says which there are.
    """
    with closing(connect_existing(database)) as connection, naming_database_errors(database):
        found = connection.execute("SELECT content FROM imported_tables WHERE name = ?", (name,)).fetchone()
        names = [held for (held,) in connection.execute("SELECT name FROM imported_tables ORDER BY name")]
    if found is None:
        held = f"those of {', '.join(names)}" if names else "none"
        raise UserError(
            f"expected an imported table {name!r} in {database}, but it holds {held}; "
            f"run `tvnsearch lut import FILE --name {name}` first"
        )
    return msgspec.json.decode(found[0], type=LookupTable)
