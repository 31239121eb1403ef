"""`tvnsearch doctor`: what this machine is, how noisy it is right now, and what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import (
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    JsonOption,
    PrecisionOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.diagnose import Diagnosis
    from tvnsearch.devices.core_lock import LockState


def doctor(
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    precision: PrecisionOption = "float32",
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
    from cli.output import print_json, watching

    with watching() as watch:
        diagnosis = tvnsearch.diagnose(
            tvnsearch.open_device(device, threads, backend, precision, batch),
            seconds=seconds,
            db=db,
            watch=watch,
        )
    if as_json:
        print_json(diagnosis)
        return
    _print_diagnosis(diagnosis)


def _print_diagnosis(diagnosis: Diagnosis) -> None:
    from cli.output import out, print_table
    from tvnsearch.api.diagnose import TRIAL_NETWORK

    noise, container = diagnosis.noise, diagnosis.container
    print_table(f"Device {diagnosis.device}", ["what", "here"], list(diagnosis.fingerprint.items()))
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
        "Shared with others",
        ["what", "here"],
        [
            ["CPU quota of this container", _cores(container.cpu_cores)],
            ["stopped for its quota so far", f"{container.throttled} times"],
            ["memory limit of this container", _gigabytes(container.memory_limit_bytes)],
            ["left of it", _gigabytes(container.memory_left_bytes)],
            *([lock.name, _holder(lock)] for lock in diagnosis.locks),
        ],
    )
    print_table(
        "Installed",
        ["what", "here"],
        [
            ["backends", ", ".join(diagnosis.backends)],
            *([f"extra {name}", "yes" if there else "no"] for name, there in diagnosis.extras.items()),
        ],
    )
    for sentence in diagnosis.advice or ["nothing to change"]:
        out.print(f"- {sentence}", highlight=False, markup=False, soft_wrap=True)


def _cores(limit: float | None) -> str:
    return "no limit" if limit is None else f"{limit:.3g} cores"


def _gigabytes(limit_bytes: int | None) -> str:
    return "no limit" if limit_bytes is None else f"{limit_bytes / 1e9:.1f} GB"


def _holder(lock: LockState) -> str:
    """Who else times there."""
    if not lock.held:
        return "free to be timed on"
    return f"process {lock.pid} times on it" if lock.pid else "another process times on it"
