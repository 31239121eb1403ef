"""Where a device's predicted latencies come from. Imports no torch: the device is asked in a worker."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

from latency_db.store import LatencyStore, default_path
from predictors.calibration import DEFAULT_LEVEL
from predictors.predictor import LatencyPredictor
from predictors.stored import stored_predictor
from predictors.transfer import SourceDevice
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device
from tvnsearch.devices.meter import Meter
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.workers import WorkerDiedError, WorkerFailedError


def database_path(db: str | Path | None) -> Path:
    """The latency database that the user named, or this user's own."""
    return default_path() if db is None else Path(db)


def load_predictor(
    db: Path, meter: Meter, level: float = DEFAULT_LEVEL, *, watch: Watch = SILENT
) -> LatencyPredictor:
    """The predictor of the meter's device, with bounds that hold for a share of ``level`` of networks.

    It is trained, and that is said, where none is kept that learnt from all that ``db`` holds now.

    Raises:
        UserError: this device was not profiled in ``db``, or too little, or another one was.
    """
    require_database(db, meter.device.words)
    with LatencyStore(db) as store:
        return stored_predictor(store, meter.digest, watch.say, level)


def open_origin(
    store: LatencyStore, digest: str | None, own_digest: str, *, watch: Watch = SILENT
) -> SourceDevice | None:
    """What the device ``digest`` of the same database can lend to this one; None where none was named.

    Raises:
        UserError: the database does not hold that device, it is this one, or it was adapted itself.
    """
    if digest is None:
        return None
    if digest == own_digest:
        raise UserError(
            f"expected another device to start from, but {digest} is this one; "
            f"`tvnsearch db list` names the devices that were profiled"
        )
    return stored_predictor(store, digest, watch.say).origin


def layer_latencies(
    genome: Genome, classes: int, device: Device, db: Path, *, watch: Watch = SILENT
) -> list[float]:
    """Predicted ms of each layer call, adding up to the network's. Starts no worker where there is no file.

    Raises:
        UserError: there is no predictor of the device, or it never saw one of the types of calls.
    """
    try:
        require_database(db, device.words)
        with Meter(device) as meter:
            predictor = load_predictor(db, meter, watch=watch)
    except (OSError, WorkerDiedError, WorkerFailedError) as error:
        raise UserError(str(error)) from None
    if unknown := predictor.never_profiled(genome):
        raise UserError(
            f"expected a predictor that knows every type of layer in it, but this device's never saw "
            f"{', '.join(unknown)}; run `tvnsearch profile` with a --space that has them"
        )
    return [layer.latency_ms for layer in predictor.layers(genome, classes)]


def require_database(db: Path, device: str) -> None:
    """Make sure that there is a latency database.

    Raises:
        UserError: there is none, or it is where this user may not look.
    """
    with suppress(OSError):
        if db.is_file():
            return
    raise UserError(
        f"expected a latency database at {db}, but there is none; "
        f"run `tvnsearch profile --device {shlex.quote(device)}` first, or correct --db"
    )
