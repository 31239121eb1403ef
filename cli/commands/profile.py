"""`tvnsearch profile`: learn this device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import (
    MAX_MS_HELP,
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    FromOption,
    JsonOption,
    SeedOption,
    SpaceOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from latency_db.profiler import ProfileProgress
    from latency_db.store import LatencyStore
    from predictors.predictor import LatencyPredictor
    from predictors.transfer import SourceDevice
    from tvnsearch.devices.meter import Meter
    from tvnsearch.genome.space import SearchSpace


def profile(
    device: DeviceOption = "cpu",
    minutes: Annotated[
        float,
        typer.Option(
            "--minutes",
            "-t",
            metavar="MINUTES",
            min=0.05,
            help="Minutes of profiling in all: it goes on where earlier ones ended.",
        ),
    ] = 10.0,
    max_ms: Annotated[
        float,
        typer.Option(
            "--max-ms", "-m", metavar="MS", min=1.0, help=f"{MAX_MS_HELP}; half of what is run is near it."
        ),
    ] = 50.0,
    space: SpaceOption = "paper",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    seed: SeedOption = 0,
    origin: FromOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn how fast networks run on this device.

    Runs networks, keeps in the latency database what their layers take, and trains a predictor on it.
    """
    from cli.output import print_json, say
    from latency_db.profiler import has_levelled_off
    from latency_db.store import LatencyStore
    from predictors.record import predictor_path
    from tvnsearch.api.latency_predictors import database_path, open_origin
    from tvnsearch.devices.device import open_device
    from tvnsearch.devices.meter import Meter
    from tvnsearch.genome.space import load_space

    found = open_device(device, threads, backend, dtype, batch)
    search_space = load_space(space)
    path = database_path(db)
    with LatencyStore(path) as store, Meter(found) as meter:
        lent = open_origin(store, origin, meter.digest)
        held_minutes = store.minutes(meter.digest)
        say(f"{path} holds {held_minutes:.1f} of {minutes:g} minutes for this device ({meter.digest})")
        if held_minutes < minutes and not has_levelled_off(store, meter.digest, search_space, max_ms):
            _say_plan(meter, space, max_ms)
        state = _profiled(store, meter, search_space, minutes, max_ms, seed)
        predictor = _learnt(store, meter.digest, lent, seed)
    if as_json:
        print_json(_as_plain(state, predictor))
        return
    _print_summary(state, predictor, lent)
    say(f"tables: {path}; predictor: {predictor_path(path, meter.digest)}")


def _say_plan(meter: Meter, space: str, max_ms: float) -> None:
    from cli.output import say
    from latency_db.aiming import HIGHEST_OVER_BUDGET

    device = meter.device
    processor = meter.fingerprint.get("processor", device.name)
    say(
        f"profiling {processor}, {device.threads} thread(s), {device.backend}: whole networks of the space "
        f"'{space}' are run and every layer call in them is stamped; half of them random, up to "
        f"{HIGHEST_OVER_BUDGET * max_ms:g} ms, half near {max_ms:g} ms with the layer calls that the "
        f"predictor is least sure of; ends earlier if predictions no longer get better"
    )


def _profiled(
    store: LatencyStore, meter: Meter, space: SearchSpace, minutes: float, max_ms: float, seed: int
) -> ProfileProgress:
    """Profile in view of the user, from where the store stands; where it stands then."""
    from cli.output import say
    from cli.profile_view import ProfileView
    from latency_db.profiler import profile as run_profiler
    from predictors.learner import learn_halves

    with ProfileView() as view:
        learn = partial(learn_halves, seed=seed)
        state = run_profiler(store, meter, space, minutes, max_ms, seed, learn, view.update)
    if state.levelled_off:
        say("twice as many networks made predictions hardly better: profiling ends here")
    return state


def _learnt(store: LatencyStore, digest: str, lent: SourceDevice | None, seed: int) -> LatencyPredictor:
    """The predictor of all that the store holds of the device, kept beside it."""
    from cli.output import say
    from predictors.fit import fit_from_store
    from predictors.record import predictor_path
    from predictors.stored import stored_predictor

    if lent is None:
        return stored_predictor(store, digest, say, seed=seed)
    say(f"training the latency predictor, from {lent.digest} and from nothing")
    predictor = fit_from_store(store, digest, seed, lent)
    predictor.save(predictor_path(store.path, digest))
    return predictor


def _as_plain(state: ProfileProgress, predictor: LatencyPredictor) -> dict[str, Any]:
    return {
        "rows": state.rows,
        "genomes": state.genomes,
        "minutes": state.minutes,
        "levelled_off": state.levelled_off,
        "noise_floor_percent": state.noise_floor_percent,
        "heldout": predictor.heldout,
        "adapted_from": predictor.adapted_from,
    }


def _print_summary(state: ProfileProgress, predictor: LatencyPredictor, lent: SourceDevice | None) -> None:
    from cli.output import say
    from cli.reports import adaptation_line, heldout_line

    floor = "unknown" if state.noise_floor_percent is None else f"{state.noise_floor_percent:.1f} %"
    say(f"{state.genomes} networks, {state.rows} layer rows in {state.minutes:.1f} minutes")
    say(heldout_line(predictor.heldout))
    say(f"noise floor: the same network measured again differs by {floor} (median)")
    if lent is not None:
        say(adaptation_line(predictor, lent.digest))
