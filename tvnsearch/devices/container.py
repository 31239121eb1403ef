"""What the limits of a container mean for timings on a device. Imports no torch."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tvnsearch.control_groups import PROCESS, Container, read_container
from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.remote.connection import ask
from tvnsearch.errors import UserError


def require_quota(device: Device, process: Path = PROCESS) -> None:
    """Check that what is timed on ``device`` can run without being stopped for its quota.

    Raises:
        UserError: the container may use less of the processor than the device has threads, or it is on a
            machine that cannot be reached.
    """
    container = (
        msgspec.convert(ask(device.place, "container", {}), Container)
        if device.place
        else read_container(process)
    )
    quota = _short_quota(container, device)
    if quota is not None:
        raise UserError(
            f"expected a container that may use {_in_words(device.threads)} or more, for latencies with "
            f"--threads {device.threads}, but its CPU quota is {_in_words(quota)}; {_what_to_do(quota)}"
        )


def why_doubtful(before: Container, after: Container, device: Device) -> str:
    """Why the container makes a timing on ``device`` between the two doubtful; empty where it does not."""
    short = _short_quota(before, device)
    if short is not None:
        threads = f"{device.threads} thread{'s were' if device.threads > 1 else ' was'}"
        return (
            f"this container may use {_in_words(short)} (CPU quota), and {threads} timed: "
            f"the kernel stops what goes beyond; {_what_to_do(short)}"
        )
    times = after.throttled - before.throttled
    if times > 0:
        quota = "" if after.cpu_cores is None else f" of {_in_words(after.cpu_cores)}"
        return (
            f"this container had used up its CPU quota{quota}, and was stopped "
            f"{times} time{'s' * (times > 1)} meanwhile; give it more, or end other work in it"
        )
    return ""


def doubted(measurement: Measurement, reason: str) -> Measurement:
    """The measurement, untrusted for ``reason``, or as it is where that is empty.

    A pass that the kernel stopped for a while looks like any other where several threads or a GPU work, so
    none counts as undisturbed, and there is no interval.
    """
    if not reason:
        return measurement
    disturbed = measurement.disturbed + measurement.samples
    return replace(
        measurement,
        ci_low_ms=None,
        ci_high_ms=None,
        samples=0,
        disturbed=disturbed,
        trusted=False,
        reason=reason,
    )


def _short_quota(container: Container, device: Device) -> float | None:
    """The quota, if it is sure to stop the threads that run a network; beside a GPU they do little."""
    quota = container.cpu_cores
    return quota if quota is not None and device.name == "cpu" and quota < device.threads else None


def _in_words(cores: float) -> str:
    """As ``0.4 of a core``, ``1 core``, ``2.5 cores``."""
    return f"{cores:.2g} of a core" if cores < 1 else f"{cores:g} core{'s' * (cores > 1)}"


def _what_to_do(quota: float) -> str:
    fewer = f", or say --threads {math.floor(quota)}" if quota >= 1 else ""
    return f"give it more (as docker run --cpus does){fewer}"
