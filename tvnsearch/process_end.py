"""Why a process has ended: by its exit code, and by the kernel's count of kills for lack of memory."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def memory_kills(root: Path = ROOT) -> int | None:
    """How many processes the kernel has killed for lack of memory; None where it does not tell.

    Counted are those of this process's control group, for whichever limit they fell; those of the whole
    machine where groups count none. ``root`` is where ``proc`` and ``sys`` lie.
    """
    for group in _memory_groups(root):
        for file in ("memory.events", "memory.oom_control"):
            kills = _count(group / file)
            if kills is not None:
                return kills
    return _count(root / "proc/vmstat")


def was_memory(code: int, kills_before: int | None, kills_now: int | None) -> bool:
    """Whether a process that ended with ``code`` was killed for lack of memory, by the kernel's counts."""
    known = kills_before is not None and kills_now is not None
    return code == -signal.SIGKILL and known and (kills_now or 0) > (kills_before or 0)


def described_end(code: int, for_memory: bool) -> str:
    """As ``ended with code 1``, ``ended with code -11 (SIGSEGV)``."""
    if for_memory:
        return f"ended with code {code} (killed for lack of memory, as the kernel's count of such kills says)"
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"ended with code {code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"ended with code {code} (signal {-code})"


def _memory_groups(root: Path) -> Iterator[Path]:
    """The process's group in each hierarchy that may limit memory, or what of it a container sees."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        inside = PurePosixPath(path).relative_to("/")
        yield mount / inside
        yield mount


def _count(file: Path) -> int | None:
    """The number behind ``oom_kill`` in a file of names and numbers."""
    for line in _read(file).splitlines():
        name, _, number = line.partition(" ")
        if name == "oom_kill" and number.strip().isdigit():
            return int(number)
    return None


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
