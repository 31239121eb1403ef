"""The tables that come with the package: latencies of devices that somebody else has profiled already."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from msgspec import Struct

from latency_db.packed import SUFFIX, Header, read_header

FOLDER = "tables"


class ShippedTable(Struct, frozen=True):
    """A packed table that is shipped under ``name``, and the predictor that learnt from all of it."""

    name: str
    path: Path
    header: Header

    @property
    def predictor(self) -> Path:
        """The predictor's file, which may be missing."""
        return predictor_beside(self.path)


def predictor_beside(table: Path) -> Path:
    """Where the predictor of a packed table lies: beside it."""
    return table.with_name(table.name.removesuffix(SUFFIX) + ".predictor.json")


@cache
def shipped_tables() -> tuple[ShippedTable, ...]:
    """Every table that is shipped, by name; what each says of itself is read, but not its rows."""
    folder = Path(str(resources.files("latency_db"))) / FOLDER
    return tuple(
        ShippedTable(path.name.removesuffix(SUFFIX), path, read_header(path))
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    )
