"""How many threads of this process can work at once, and how many each of several processes may have."""

from __future__ import annotations

import math
import os
from pathlib import Path

from tvnsearch.control_groups import PROCESS, read_container


def usable_cores() -> list[int]:
    """The numbers of the processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


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
