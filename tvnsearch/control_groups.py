"""What the container of this process lets it use, of memory and of processor time. Imports no torch.

Linux keeps limits in control groups, which lie in each other: of all around a process the tightest holds.
Their version 2 has one hierarchy for everything, version 1 one for each controller; a machine may mount both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from msgspec import Struct

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
