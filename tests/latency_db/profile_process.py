"""A profiler to be killed: ``python -m tests.latency_db.profile_process DB MINUTES METER``.

METER is ``real`` or ``fake``. Each report is a line: the number of genomes and of rows that are in the store.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from latency_db import LatencyStore, profile
from tests.latency_db.fakes import FakeMeter
from tvnsearch.devices import Meter, open_device
from tvnsearch.genome.space import load_space


def main(path: Path, minutes: float, kind: str) -> None:
    def report(progress) -> None:
        sys.stdout.write(f"{progress.genomes} {progress.rows}\n")
        sys.stdout.flush()

    running = Meter(open_device("cpu"), classes=10) if kind == "real" else nullcontext(FakeMeter())
    with LatencyStore(path) as store, running as meter:
        profile(store, meter, load_space("digits"), minutes, 3.0, 0, report)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
