"""The devices whose latencies can be had without measuring: profiled by this user, or shipped."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from latency_db.contents import described
from latency_db.shipped import shipped_tables
from latency_db.store import LatencyStore
from predictors.evaluation import HeldOutReport
from predictors.record import predictor_path, read_record
from tvnsearch.api.latency_predictors import database_path
from tvnsearch.errors import UserError


class KnownDevice(Struct, frozen=True):
    """A device by its digest, from a ``source``: a database's path, or the name of a table that is shipped.

    ``noise_floor_percent`` is what two measurements of one network differ by (median), None before anything
    was measured again. ``heldout`` is how good predictions are on networks that were not learnt from; None
    where no predictor is kept.
    """

    digest: str
    description: str
    fingerprint: dict[str, str]
    source: str
    is_shipped: bool
    genomes: int
    rows: int
    noise_floor_percent: float | None
    heldout: HeldOutReport | None


def known_devices(db: str | Path | None = None) -> list[KnownDevice]:
    """The devices that ``db`` holds, if there is such a file, and then those that come with the package.

    Raises:
        UserError: ``db`` is no latency database of this version.
    """
    path = database_path(db)
    return [*(_held(path) if path.is_file() else []), *_shipped()]


def _held(db: Path) -> list[KnownDevice]:
    with LatencyStore(db) as store:
        return [
            KnownDevice(
                digest=device.digest,
                description=described(device.fingerprint),
                fingerprint=device.fingerprint,
                source=str(db),
                is_shipped=False,
                genomes=device.genomes,
                rows=device.rows,
                noise_floor_percent=store.noise_floor_percent(device.digest),
                heldout=_heldout(predictor_path(db, device.digest)),
            )
            for device in store.devices()
            if device.genomes
        ]


def _shipped() -> list[KnownDevice]:
    return [
        KnownDevice(
            digest=table.header.digest,
            description=described(table.header.fingerprint),
            fingerprint=table.header.fingerprint,
            source=table.name,
            is_shipped=True,
            genomes=table.header.genomes,
            rows=table.header.rows,
            noise_floor_percent=table.header.noise_floor_percent,
            heldout=_heldout(table.predictor),
        )
        for table in shipped_tables()
    ]


def _heldout(predictor: Path) -> HeldOutReport | None:
    with suppress(UserError):  # none is kept, or another release wrote it
        return read_record(predictor).heldout
    return None
