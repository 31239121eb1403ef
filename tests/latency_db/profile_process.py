"""A profiler to be killed: ``python -m tests.latency_db.profile_process DB MINUTES METER [SEED]``.

METER is ``real`` or ``fake``. Each report is a line: the number of genomes and of rows that are in the store,
and the identity of the genome whose measurement was kept last.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from latency_db import LatencyStore, profile
from tests.latency_db.fakes import FakeLearner, FakeMeter
from tvnsearch.devices import Meter, open_device
from tvnsearch.genome import genome_id
from tvnsearch.genome.space import load_space


class Witness:
    """Passes on to a meter, and remembers what it profiled last."""

    def __init__(self, meter):
        self.meter = meter
        self.last = ""

    def __getattr__(self, name):
        return getattr(self.meter, name)

    def profile(self, genome):
        self.last = genome_id(genome)
        return self.meter.profile(genome)


def main(path: Path, minutes: float, kind: str, seed: int = 0) -> None:
    running = Meter(open_device("cpu"), classes=10) if kind == "real" else nullcontext(FakeMeter())
    with LatencyStore(path) as store, running as meter:
        witness = Witness(meter)

        def report(progress) -> None:
            sys.stdout.write(f"{progress.genomes} {progress.rows} {witness.last}\n")
            sys.stdout.flush()

        profile(store, witness, load_space("digits"), minutes, 3.0, seed, FakeLearner(), report)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
