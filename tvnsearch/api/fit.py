"""The latency predictor of a device, trained again from its tables."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from latency_db.store import LatencyStore
from predictors.evaluation import HeldOutReport
from predictors.record import predictor_path
from tvnsearch.api.latency_predictors import database_path, open_origin, require_database
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device, as_device
from tvnsearch.devices.meter import Meter
from tvnsearch.seeds import require_seed


class Fit(Struct, frozen=True):
    """How good a predictor is on networks that it did not learn from.

    ``adapted_from`` is the digest of the device that it started from, None where it started from nothing.
    """

    heldout: HeldOutReport
    adapted_from: str | None


def fit(
    device: str | Device = "cpu",
    *,
    seed: int = 0,
    origin: str | None = None,
    db: str | Path | None = None,
    watch: Watch = SILENT,
) -> Fit:
    """Train the latency predictor of ``device`` again from its tables in ``db``, and keep it beside them.

    ``origin`` is the digest of another device in ``db``, to start from where that predicts better.

    Raises:
        UserError: there is no such database or device, it was profiled too little, ``origin`` cannot lend,
            or the seed is no good.
    """
    from predictors.fit import fit_from_store

    require_seed(seed)
    opened, path = as_device(device), database_path(db)
    require_database(path, opened.words)
    with LatencyStore(path) as store, Meter(opened) as meter:
        lent = open_origin(store, origin, meter.digest, watch=watch)
        predictor = fit_from_store(store, meter.digest, seed, lent)
        predictor.save(predictor_path(path, meter.digest))
    return Fit(predictor.heldout, predictor.adapted_from)
