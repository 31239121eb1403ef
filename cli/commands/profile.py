"""`tvnsearch profile`: learn this device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import tvnsearch
from cli.arguments import (
    MAX_MS_HELP,
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    FromOption,
    JsonOption,
    PrecisionOption,
    SeedOption,
    SpaceOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.profile import DeviceProfile


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
    precision: PrecisionOption = "float32",
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
    from cli.profile_view import ProfileView

    with ProfileView() as view:
        profiled = tvnsearch.profile(
            tvnsearch.open_device(device, threads, backend, precision, batch),
            minutes=minutes,
            max_ms=max_ms,
            space=space,
            seed=seed,
            origin=origin,
            db=db,
            watch=tvnsearch.Watch(say=say),
            on_progress=view.update,
        )
    if as_json:
        print_json(_plain(profiled))
        return
    _print_summary(profiled, origin)


def _plain(profiled: DeviceProfile) -> dict[str, Any]:
    return {
        "rows": profiled.rows,
        "genomes": profiled.genomes,
        "minutes": profiled.minutes,
        "levelled_off": profiled.levelled_off,
        "noise_floor_percent": profiled.noise_floor_percent,
        "heldout": profiled.heldout,
        "adapted_from": profiled.adapted_from,
    }


def _print_summary(profiled: DeviceProfile, origin: str | None) -> None:
    from cli.fit_view import fit_lines
    from cli.output import say

    floor = "unknown" if profiled.noise_floor_percent is None else f"{profiled.noise_floor_percent:.1f} %"
    heldout, *adapted = fit_lines(profiled.heldout, profiled.adapted_from, origin)
    say(f"{profiled.genomes} networks, {profiled.rows} layer rows in {profiled.minutes:.1f} minutes")
    say(heldout)
    say(f"noise floor: the same network measured again differs by {floor} (median)")
    for line in adapted:
        say(line)
    say(f"tables: {profiled.tables}; predictor: {profiled.predictor}")
