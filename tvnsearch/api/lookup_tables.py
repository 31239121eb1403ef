"""Lookup tables found by name or by device, with what it takes to complete them over a grid."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from latency_db.imported import imported_table
from latency_db.lut.table import LookupTable, LutRow, block_rows, lookup_table
from latency_db.reader import StoredProfile
from latency_db.store import LatencyStore
from predictors.predictor import LatencyPredictor
from predictors.stored import stored_predictor
from tvnsearch.api.latency_predictors import load_predictor, require_database
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device
from tvnsearch.devices.meter import Meter
from tvnsearch.errors import UserError


class FoundTable(Struct, frozen=True):
    """A table; of a measured device also, if asked for, its inverted residuals, networks and predictor."""

    table: LookupTable
    blocks: tuple[LutRow, ...] = ()
    profiles: tuple[StoredProfile, ...] = ()
    predictor: LatencyPredictor | None = None


def find_table(
    db: Path,
    source: str | Device,
    whole_blocks: bool = False,
    predicting: bool = False,
    *,
    watch: Watch = SILENT,
) -> FoundTable:
    """The table in ``db`` of a device that is here, of a measured device's digest, or of an imported name.

    Raises:
        UserError: there is no database, no such table, or no predictor for it.
    """
    predictor = None
    if isinstance(source, Device):
        require_database(db, source.words)
        with Meter(source) as meter:
            digest = meter.digest
            predictor = load_predictor(db, meter, watch=watch) if predicting else None
    else:
        require_database(db, "cpu")
    with LatencyStore(db) as store:
        if isinstance(source, str):
            if source not in {held.digest for held in store.devices() if held.genomes}:
                return _imported(db, source, predicting)
            digest = source
            predictor = stored_predictor(store, digest, watch.say) if predicting else None
        table = lookup_table(store, digest)
        profiles = tuple(store.profiles(digest)) if whole_blocks or predicting else ()
    return FoundTable(table, block_rows(profiles) if whole_blocks else (), profiles, predictor)


def _imported(db: Path, name: str, predicting: bool) -> FoundTable:
    found = FoundTable(imported_table(db, name))
    if predicting:
        raise UserError(
            f"expected a measured device's table for --grid, but {name!r} was imported; "
            f"no predictor is fitted to imported rows, so export it without --grid"
        )
    return found
