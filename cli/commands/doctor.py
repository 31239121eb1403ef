"""`tvnsearch doctor`: what this machine is, how noisy it is right now, and what to change."""

from __future__ import annotations

from typing import Annotated

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
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="How long to measure noise.")] = 30.0,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what this machine is, how noisy it is right now, what is installed, and what to change."""
    import msgspec

    from cli.latency import database_path, require_database
    from cli.output import ProgressBar, out, print_json, print_table
    from latency_db.store import LatencyStore
    from tvnsearch.devices.backends import backends_of
    from tvnsearch.devices.device import devices_here, open_device
    from tvnsearch.devices.diagnosis import advice, measure_noise
    from tvnsearch.devices.meter import Meter
    from tvnsearch.errors import UserError
    from tvnsearch.genome.scaling import scaled
    from tvnsearch.genome.zoo import load_zoo

    opened = open_device(device, threads, backend, dtype, batch)
    network = scaled(load_zoo(TRIAL_NETWORK), resolution=TRIAL_RESOLUTION)
    with ProgressBar("measure noise") as bar:
        noise = measure_noise(opened, network, seconds, bar.update)
    sentences: list[str] = []
    with Meter(opened) as meter:
        fingerprint, digest = meter.fingerprint, meter.digest
        try:
            require_database(path := database_path(db), device)
            with LatencyStore(path) as store:
                store.device(digest)
        except UserError as error:
            sentences.append(f"latencies cannot be predicted yet: {error}")
    sentences = advice(fingerprint, noise) + sentences
    backends, installed = backends_of(devices_here()), _installed()
    if as_json:
        print_json(
            {
                "device": digest,
                "fingerprint": fingerprint,
                "noise_floor_percent": noise.noise_floor_percent,
                "noise": msgspec.to_builtins(noise),
                "backends": backends,
                "extras": installed,
                "advice": sentences,
            }
        )
        return
    print_table(f"Device {digest}", ["what", "here"], list(fingerprint.items()))
    print_table(
        f"Noise, right now: {TRIAL_NETWORK} at half its resolution, {noise.measurements} times",
        ["what", "here"],
        [
            ["latency", f"{noise.latency_ms:.2f} ms"],
            ["measured again, differs by (median)", f"{noise.noise_floor_percent:.2f} %"],
            ["disturbed passes", f"{100 * noise.disturbed_share:.0f} %"],
            ["trusted measurements", f"{noise.trusted} of {noise.measurements}"],
            ["with the allocator as the system has it", f"{noise.unpinned_latency_ms:.2f} ms"],
        ],
    )
    print_table(
        "Installed",
        ["what", "here"],
        [
            ["backends", ", ".join(backends)],
            *([f"extra {name}", "yes" if there else "no"] for name, there in installed.items()),
        ],
    )
    for sentence in sentences or ["nothing to change"]:
        out.print(f"- {sentence}", highlight=False, markup=False, soft_wrap=True)


def _installed() -> dict[str, bool]:
    from importlib.util import find_spec

    return {
        name: all(find_spec(module) is not None for module in modules) for name, modules in EXTRAS.items()
    }
