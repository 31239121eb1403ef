"""What the container of this process lets it use, of memory and of processor time. Imports no torch.

Linux keeps limits in control groups, which lie in each other: of all around a process the tightest holds.
Their version 2 has one hierarchy for everything, version 1 one for each controller; a machine may mount both.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.devices.device import Device, usable_cores
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError

PROCESS = Path("/proc/self")

UNIFIED = ""
"""In place of a controller: the hierarchy of version 2, which ``/proc/self/cgroup`` names by none."""

NO_LIMIT_BYTES = 2**60
"""Version 1 says "no limit" by the largest count of whole pages, a little under 2**63 bytes."""


class Container(Struct, frozen=True):
    """The limits around a process, each the tightest of its groups; None where there is none.

    ``cpu_cores`` is the quota of processor time in cores, and ``throttled`` how often a group was stopped for
    having used it up. Files that were read and can be dropped count as ``memory_left_bytes``.
    """

    cpu_cores: float | None = None
    throttled: int = 0
    memory_limit_bytes: int | None = None
    memory_left_bytes: int | None = None


def read_container(process: Path = PROCESS) -> Container:
    """The container of the process whose folder in ``/proc`` that is; no limits where no group tells any."""
    unified = _groups(process, UNIFIED)
    of_memory, of_cpu = _groups(process, "memory"), _groups(process, "cpu")
    memory = [
        *_memory(unified, "memory.max", "memory.current", "inactive_file"),
        *_memory(of_memory, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ]
    quotas = [
        *_quotas(_read(group / "cpu.max") for group in unified),
        *_quotas(
            f"{_read(group / 'cpu.cfs_quota_us')} {_read(group / 'cpu.cfs_period_us')}" for group in of_cpu
        ),
    ]
    return Container(
        cpu_cores=min(quotas, default=None),
        throttled=sum(_counts(group / "cpu.stat").get("nr_throttled", 0) for group in (*unified, *of_cpu)),
        memory_limit_bytes=min((limit_bytes for limit_bytes, _ in memory), default=None),
        memory_left_bytes=min((left_bytes for _, left_bytes in memory), default=None),
    )


def usable_threads(process: Path = PROCESS) -> int:
    """How many threads can work at once: as many as there are cores, or whole cores in the quota."""
    cores, quota = len(usable_cores()), read_container(process).cpu_cores
    return cores if quota is None else min(cores, max(1, math.floor(quota)))


def training_threads(workers: int = 1) -> int:
    """How many threads each of so many trainings at once has where nobody said: all share the usable ones.

    The user's OMP_NUM_THREADS bounds each; of its values, one a level of nested teams, the first counts.
    """
    share = max(1, usable_threads() // workers)
    outermost = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(share, int(outermost)) if outermost.isdecimal() and int(outermost) > 0 else share


def require_quota(device: Device, process: Path = PROCESS) -> None:
    """Check that what is timed on ``device`` can run without being stopped for its quota.

    Raises:
        UserError: the container may use less of the processor than the device has threads.
    """
    quota = _short_quota(read_container(process), device)
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


class _Mount(NamedTuple):
    """Where a hierarchy, or the part of it under ``root``, is seen."""

    root: PurePosixPath
    point: Path


def _groups(process: Path, controller: str) -> list[Path]:
    """The folders of the process's group and of those around it, as far up as they are mounted."""
    path = _path_in_hierarchy(process, controller)
    mounts = list(_mounts(process, controller))
    if path is None or not mounts:
        return []
    group, top = _seen_group(path, mounts)
    return [group, *(folder for folder in group.parents if folder.is_relative_to(top))]


def _seen_group(path: PurePosixPath, mounts: list[_Mount]) -> tuple[Path, Path]:
    """The folder of the group at ``path``, and the top of its mount.

    Where the group itself is not to be seen, as in a container that has the mount of its host, what the mount
    shows first is the container's.
    """
    for root, point in mounts:
        if path.is_relative_to(root) and ".." not in path.parts and (point / path.relative_to(root)).is_dir():
            return point / path.relative_to(root), point
    return mounts[0].point, mounts[0].point


def _path_in_hierarchy(process: Path, controller: str) -> PurePosixPath | None:
    """The group's name: lines are ``number:controllers:/path``."""
    for line in _read(process / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return PurePosixPath(path)
    return None


def _mounts(process: Path, controller: str) -> Iterator[_Mount]:
    """Where a hierarchy is mounted: ``id parent device root point options [tags] - type source options``."""
    for line in _read(process / "mountinfo").splitlines():
        place, _, kind = line.partition(" - ")
        root, point = (_unescaped(word) for word in place.split(" ")[3:5])
        version, *_, options = kind.split(" ")
        hierarchies = {"cgroup": options.split(","), "cgroup2": [UNIFIED]}.get(version, [])
        if controller in hierarchies:
            yield _Mount(PurePosixPath(root), Path(point))


def _unescaped(word: str) -> str:
    r"""Spaces and the like are written as ``\040`` there."""
    return re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape[1], 8)), word)


def _memory(
    groups: Iterable[Path], limit_file: str, used_file: str, droppable: str
) -> Iterator[tuple[int, int]]:
    """The limit of each group that has one, and what is left of it, in bytes."""
    for group in groups:
        limit, used = _read(group / limit_file), _read(group / used_file)
        if not (limit.isdigit() and used.isdigit()) or int(limit) >= NO_LIMIT_BYTES:
            continue
        dropped_bytes = _counts(group / "memory.stat").get(droppable, 0)
        yield int(limit), max(0, int(limit) - int(used) + dropped_bytes)


def _quotas(written: Iterable[str]) -> Iterator[float]:
    """Cores for each ``quota period``; without a limit the quota is ``max`` or -1."""
    for words in map(str.split, written):
        if len(words) == 2 and all(word.isdigit() for word in words):
            yield int(words[0]) / int(words[1])


def _counts(path: Path) -> dict[str, int]:
    return {
        name: int(value)
        for name, _, value in (line.partition(" ") for line in _read(path).splitlines())
        if value.isdigit()
    }


def _read(path: Path) -> str:
    """What the file says; nothing where it is not there or may not be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
