"""`tvnsearch fit`: train the latency predictor again."""

from __future__ import annotations

from cli.arguments import (
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    FromOption,
    JsonOption,
    SeedOption,
    ThreadsOption,
)


def fit(
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    seed: SeedOption = 0,
    origin: FromOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the latency predictor again, from what was profiled."""
    from cli.output import print_json, say
    from cli.reports import adaptation_line, heldout_line
    from latency_db.store import LatencyStore
    from predictors import predictor_path
    from predictors.fit import fit_from_store
    from tvnsearch.api.latency_predictors import database_path, open_origin, require_database
    from tvnsearch.devices.device import open_device
    from tvnsearch.devices.meter import Meter

    path = database_path(db)
    require_database(path, device)
    with LatencyStore(path) as store, Meter(open_device(device, threads, backend, dtype, batch)) as meter:
        lent = open_origin(store, origin, meter.digest)
        predictor = fit_from_store(store, meter.digest, seed, lent)
        predictor.save(predictor_path(path, meter.digest))
    if as_json:
        print_json({"heldout": predictor.heldout, "adapted_from": predictor.adapted_from})
        return
    say(heldout_line(predictor.heldout))
    if lent:
        say(adaptation_line(predictor, lent.digest))
