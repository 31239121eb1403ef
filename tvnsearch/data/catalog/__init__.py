"""Data sets as they lie on disk: one file a format, recognised or named by `open_dataset`."""

from __future__ import annotations

from pathlib import Path

from tvnsearch.data.catalog.address import FORMATS, parse_address
from tvnsearch.data.catalog.assembly import assemble
from tvnsearch.data.catalog.csv_list import CSV_NAME
from tvnsearch.data.catalog.names import Scored
from tvnsearch.data.dataset import Dataset


def open_dataset(address: str | Path, seed: int = 0, scored: Scored | None = None) -> Dataset:
    """Open a data set: `PATH`, whose format is recognised, `FORMAT:PATH` or `FORMAT-splitN:PATH`.

    Nothing is decoded. `seed` decides the split where the data come without one. Of data that are only to be
    `scored` that part alone need be there, see `assemble`.

    Raises UserError when nothing is there, no video or only one class is found, or a list is malformed.
    """
    where = parse_address(address)
    return assemble(where.path, where.name, where.format.read(where.path, where.split), seed, scored)


__all__ = ["CSV_NAME", "FORMATS", "Scored", "open_dataset"]
