"""A device learnt: its layer latencies measured until they predict well, and the predictor of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from latency_db.aiming import HIGHEST_OVER_BUDGET
from latency_db.profiler import ProfileProgress, has_levelled_off
from latency_db.profiler import profile as run_profiler
from latency_db.store import LatencyStore
from predictors.evaluation import HeldOutReport
from predictors.predictor import LatencyPredictor
from predictors.record import predictor_path
from predictors.stored import stored_predictor
from predictors.transfer import SourceDevice
from tvnsearch.api.latency_predictors import database_path, open_origin
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.container import require_quota
from tvnsearch.devices.device import Device, as_device
from tvnsearch.devices.meter import Meter
from tvnsearch.errors import UserError
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.seeds import require_seed


class DeviceProfile(Struct, frozen=True):
    """What a database holds of the device ``digest``, and how good its predictor is.

    ``levelled_off`` tells that twice as many networks made predictions hardly better. ``heldout`` is of
    networks that the predictor did not learn from; ``adapted_from`` is the digest of the device that it
    started from, None where it started from nothing. ``tables`` and ``predictor`` are files.
    """

    rows: int
    genomes: int
    minutes: float
    levelled_off: bool
    noise_floor_percent: float | None
    heldout: HeldOutReport
    adapted_from: str | None
    digest: str
    tables: str
    predictor: str


def profile(
    device: str | Device = "cpu",
    *,
    minutes: float = 10.0,
    max_ms: float = 50.0,
    space: str | Path = "paper",
    seed: int = 0,
    origin: str | None = None,
    db: str | Path | None = None,
    watch: Watch = SILENT,
    on_progress: Callable[[ProfileProgress], None] = lambda state: None,
) -> DeviceProfile:
    """Measure layers of ``device`` for ``minutes`` in all, kept in ``db``, and train its latency predictor.

    Goes on where an earlier profile stopped. ``max_ms`` is the budget that a search will have: half of the
    networks of ``space`` that are measured are near it. ``origin`` is the digest of another device in ``db``:
    what is known of it is adapted, so that little profiling is enough.

    Raises:
        UserError: a number has no end, the seed is no good, there is no such device, space or ``origin``,
            this container may use too little of the processor, or too few networks could be measured.
        WorkerFailedError, WorkerDiedError: one network after the other fails.
    """
    for what, given in (("--minutes", minutes), ("--max-ms", max_ms)):
        if not 0 < given < math.inf:
            raise UserError(f"expected {what} over 0 that have an end, but got {given}; give another number")
    require_seed(seed)
    opened, search_space, path = as_device(device), load_space(str(space)), database_path(db)
    require_quota(opened)
    with LatencyStore(path) as store, Meter(opened, say=watch.say) as meter:
        digest = meter.digest
        lent = open_origin(store, origin, digest, watch=watch)
        watch.say(
            f"{path} holds {store.minutes(digest):.1f} of {minutes:g} minutes for this device ({digest})"
        )
        if store.minutes(digest) < minutes and not has_levelled_off(store, digest, search_space, max_ms):
            watch.say(_plan(meter, str(space), max_ms))
        state = _profiled(store, meter, search_space, minutes, max_ms, seed, watch, on_progress)
        predictor = _learnt(store, digest, lent, seed, watch)
    return DeviceProfile(
        rows=state.rows,
        genomes=state.genomes,
        minutes=state.minutes,
        levelled_off=state.levelled_off,
        noise_floor_percent=state.noise_floor_percent,
        heldout=predictor.heldout,
        adapted_from=predictor.adapted_from,
        digest=digest,
        tables=str(path),
        predictor=str(predictor_path(path, digest)),
    )


def _plan(meter: Meter, space: str, max_ms: float) -> str:
    device = meter.device
    processor = meter.fingerprint.get("processor", device.name)
    return (
        f"profiling {processor}, {device.threads} thread(s), {device.backend}: whole networks of the space "
        f"'{space}' are run and every layer call in them is stamped; half of them random, up to "
        f"{HIGHEST_OVER_BUDGET * max_ms:g} ms, half near {max_ms:g} ms with the layer calls that the "
        f"predictor is least sure of; ends earlier if predictions no longer get better"
    )


def _profiled(
    store: LatencyStore,
    meter: Meter,
    space: SearchSpace,
    minutes: float,
    max_ms: float,
    seed: int,
    watch: Watch,
    on_progress: Callable[[ProfileProgress], None],
) -> ProfileProgress:
    """Profile from where the store stands; where it stands then."""
    from predictors.learner import learn_halves

    def tell(state: ProfileProgress) -> None:
        watch.progress("profile", min(state.minutes / minutes, 1.0), f"{state.genomes} networks")
        on_progress(state)

    learn = partial(learn_halves, seed=seed)
    state = run_profiler(store, meter, space, minutes, max_ms, seed, learn, tell)
    watch.progress("profile", 1.0, f"{state.genomes} networks")
    if state.levelled_off:
        watch.say("twice as many networks made predictions hardly better: profiling ends here")
    return state


def _learnt(
    store: LatencyStore, digest: str, lent: SourceDevice | None, seed: int, watch: Watch
) -> LatencyPredictor:
    """The predictor of all that the store holds of the device, kept beside it."""
    if lent is None:
        return stored_predictor(store, digest, watch.say, seed=seed)
    from predictors.fit import fit_from_store

    watch.say(f"training the latency predictor, from {lent.digest} and from nothing")
    predictor = fit_from_store(store, digest, seed, lent)
    predictor.save(predictor_path(store.path, digest))
    return predictor
