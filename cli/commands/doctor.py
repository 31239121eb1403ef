"""`tvnsearch doctor`: what this machine is, how noisy it is right now, and what to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import (
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from tvnsearch.devices.device import Device
    from tvnsearch.devices.diagnosis import Noise

EXTRAS = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "yaml": ("yaml",),
}
"""The modules of each extra of the installation."""

TRIAL_NETWORK, TRIAL_RESOLUTION = "tvn-m-2", 0.5
"""About 20 ms on one core of a server: long enough for the clocks, short enough for many passes."""


def doctor(
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="SECONDS", min=1.0, help="Seconds of measuring noise.")
    ] = 30.0,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what this machine is, how noisy, and what to change.

    Measures the noise of the moment, and tells which backends and extras are installed.
    """
    import msgspec

    from cli.output import print_json
    from tvnsearch.devices.backends import backends_of
    from tvnsearch.devices.device import devices_here, open_device
    from tvnsearch.devices.diagnosis import advice
    from tvnsearch.devices.meter import Meter

    opened = open_device(device, threads, backend, dtype, batch)
    noise = _noise(opened, seconds)
    with Meter(opened) as meter:
        fingerprint, digest = meter.fingerprint, meter.digest
    report: dict[str, Any] = {
        "device": digest,
        "fingerprint": fingerprint,
        "noise_floor_percent": noise.noise_floor_percent,
        "noise": msgspec.to_builtins(noise),
        "backends": backends_of(devices_here()),
        "extras": _installed(),
        "advice": advice(fingerprint, noise) + _missing_latencies(db, device, digest),
    }
    if as_json:
        print_json(report)
        return
    _print_report(report)


def _noise(device: Device, seconds: float) -> Noise:
    from cli.output import ProgressBar
    from tvnsearch.devices.diagnosis import measure_noise
    from tvnsearch.genome.scaling import scaled
    from tvnsearch.genome.zoo import load_zoo

    network = scaled(load_zoo(TRIAL_NETWORK), resolution=TRIAL_RESOLUTION)
    with ProgressBar("measure noise") as bar:
        return measure_noise(device, network, seconds, bar.update)


def _installed() -> dict[str, bool]:
    from importlib.util import find_spec

    return {
        name: all(find_spec(module) is not None for module in modules) for name, modules in EXTRAS.items()
    }


def _missing_latencies(db: Path | None, device: str, digest: str) -> list[str]:
    """A sentence where this user's latency database cannot tell how fast networks are here."""
    from latency_db.store import LatencyStore
    from tvnsearch.api.latency_predictors import database_path, require_database
    from tvnsearch.errors import UserError

    path = database_path(db)
    try:
        require_database(path, device)
        with LatencyStore(path) as store:
            store.device(digest)
    except UserError as error:
        return [f"latencies cannot be predicted yet: {error}"]
    return []


def _print_report(report: dict[str, Any]) -> None:
    from cli.output import out, print_table

    noise = report["noise"]
    print_table(f"Device {report['device']}", ["what", "here"], list(report["fingerprint"].items()))
    print_table(
        f"Noise, right now: {TRIAL_NETWORK} at half its resolution, {noise['measurements']} times",
        ["what", "here"],
        [
            ["latency", f"{noise['latency_ms']:.2f} ms"],
            ["measured again, differs by (median)", f"{noise['noise_floor_percent']:.2f} %"],
            ["disturbed passes", f"{100 * noise['disturbed_share']:.0f} %"],
            ["trusted measurements", f"{noise['trusted']} of {noise['measurements']}"],
            ["with the allocator as the system has it", f"{noise['unpinned_latency_ms']:.2f} ms"],
        ],
    )
    print_table(
        "Installed",
        ["what", "here"],
        [
            ["backends", ", ".join(report["backends"])],
            *([f"extra {name}", "yes" if there else "no"] for name, there in report["extras"].items()),
        ],
    )
    for sentence in report["advice"] or ["nothing to change"]:
        out.print(f"- {sentence}", highlight=False, markup=False, soft_wrap=True)
