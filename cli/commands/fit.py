"""`tvnsearch fit`: train the latency predictor again."""

from __future__ import annotations

import tvnsearch
from cli.arguments import (
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    FromOption,
    JsonOption,
    PrecisionOption,
    SeedOption,
    ThreadsOption,
)


def fit(
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    seed: SeedOption = 0,
    origin: FromOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the latency predictor again, from what was profiled."""
    from cli.fit_view import fit_lines
    from cli.output import print_json, say, watching

    with watching() as watch:
        fitted = tvnsearch.fit(
            tvnsearch.open_device(device, threads, backend, precision, batch),
            seed=seed,
            origin=origin,
            db=db,
            watch=watch,
        )
    if as_json:
        print_json(fitted)
        return
    for line in fit_lines(fitted.heldout, fitted.adapted_from, origin):
        say(line)
