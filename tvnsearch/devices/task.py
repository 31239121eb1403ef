"""Timing for another process: ``python -m tvnsearch.devices.task`` in a :class:`tvnsearch.workers.Worker`.

Params are plain JSON: a device and genomes as their JSON objects. The process is set up for the first device
that it is asked for; one process serves one device.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from tvnsearch.devices.device import Device
from tvnsearch.devices.fingerprint import fingerprint
from tvnsearch.devices.measurement import LayerProfile, Timing
from tvnsearch.devices.network_timer import NetworkTimer
from tvnsearch.devices.timing import Plan
from tvnsearch.genome.genome import Genome
from tvnsearch.workers import Progress, serve


def fingerprint_task(device: dict[str, Any], progress: Progress) -> dict[str, str]:
    """The fingerprint of the device as this process has it."""
    return fingerprint(msgspec.convert(device, Device))


def measure_task(
    device: dict[str, Any],
    genomes: list[dict[str, Any]],
    classes: int,
    plan: dict[str, Any],
    progress: Progress,
) -> Timing:
    """``NetworkTimer.measure``; ``plan`` is a ``timing.Plan``."""
    decoded = msgspec.convert(genomes, list[Genome])
    return _timer(msgspec.convert(device, Device)).measure(decoded, classes, msgspec.convert(plan, Plan))


def profile_task(
    device: dict[str, Any], genome: dict[str, Any], classes: int, max_seconds: float, progress: Progress
) -> LayerProfile:
    """``NetworkTimer.profile``."""
    decoded = msgspec.convert(genome, Genome)
    return _timer(msgspec.convert(device, Device)).profile(decoded, classes, max_seconds)


def time_layers_task(
    device: dict[str, Any], genome: dict[str, Any], classes: int, max_seconds: float, progress: Progress
) -> LayerProfile:
    """``NetworkTimer.time_layers``."""
    decoded = msgspec.convert(genome, Genome)
    return _timer(msgspec.convert(device, Device)).time_layers(decoded, classes, max_seconds)


@cache
def _timer(device: Device) -> NetworkTimer:
    return NetworkTimer(device)


if __name__ == "__main__":
    serve(
        {
            "fingerprint": fingerprint_task,
            "measure": measure_task,
            "profile": profile_task,
            "time_layers": time_layers_task,
        }
    )
