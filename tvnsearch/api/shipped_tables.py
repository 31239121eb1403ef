"""Latencies that come with the package, taken into a user's database where they are of use there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from latency_db.contents import described
from latency_db.merge import merge
from latency_db.shipped import ShippedTable, shipped_tables
from latency_db.store import LatencyStore
from predictors.record import predictor_path
from tvnsearch.api.watching import SILENT, Watch, counting
from tvnsearch.devices.device import Device
from tvnsearch.files import copy_whole

ALIKE = ("device", "backend", "precision", "threads", "batch", "deployment")
"""What two devices share whose latencies differ by a factor for each kind of call, and little more."""


def may_be_shipped(device: Device) -> bool:
    """Whether a table of such a device is shipped; only its meter knows whether it is the same."""
    asked = {
        "device": device.name,
        "backend": device.backend,
        "precision": device.precision,
        "threads": str(device.threads),
        "batch": str(device.batch),
    }
    return any(
        all(table.header.fingerprint.get(key, value) == value for key, value in asked.items())
        for table in shipped_tables()
    )


def take_if_shipped(db: Path, digest: str, *, watch: Watch = SILENT) -> None:
    """Add the shipped table of the device ``digest`` to ``db``, made if need be, where it holds none of it.

    Raises:
        UserError: the database cannot be written.
    """
    table = next((table for table in shipped_tables() if table.header.digest == digest), None)
    if table is not None and not _holds(db, digest):
        take(table, db, watch=watch)


def take(table: ShippedTable, db: Path, *, watch: Watch = SILENT) -> None:
    """Add a shipped table to ``db``, and its predictor.

    Raises:
        UserError: the database cannot be written.
    """
    watch.say(
        f"{db} holds no latencies of {described(table.header.fingerprint)} yet: the table {table.name}, "
        f"which comes with tvnsearch, is added ({table.header.genomes} networks, {table.header.rows} layer "
        "rows)"
    )
    merge(table.path, db, counting(watch, f"add {table.name}", "networks"))
    if table.predictor.is_file():
        copy_whole(table.predictor, predictor_path(db, table.header.digest))


def nearest_shipped(fingerprint: Mapping[str, str]) -> ShippedTable | None:
    """The shipped table of a device that runs networks as that of ``fingerprint``; the largest such."""
    alike = [
        table
        for table in shipped_tables()
        if all(table.header.fingerprint.get(key) == fingerprint.get(key) for key in ALIKE)
    ]
    return max(alike, key=lambda table: table.header.rows, default=None)


def _holds(db: Path, digest: str) -> bool:
    if not db.is_file():
        return False
    with LatencyStore(db) as store:
        return any(device.digest == digest and device.genomes for device in store.devices())
