"""A search with several workers, to be killed: ``python -m tests.search.parallel_process RUN STARTS ENDS``.

Each training that starts adds its individual's number to the file STARTS, and to ENDS when it is in the
journal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.search.fakes import FakeFitness, FakeLatency, NoProcess, make_plan
from tvnsearch.search import Fitness, Journal, SearchProgress, TrainingRequest, journal_path, run_search
from tvnsearch.search.executors import ParallelExecutor, RemoteWorker
from tvnsearch.search.protocols import TrainingProgress


def main(run: Path, starts: Path, ends: Path) -> None:
    class Noting(FakeFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            with starts.open("a") as file:
                file.write(f"{request.number}\n")
            return super().__call__(worker, request, on_progress)

    def hear(event: SearchProgress) -> None:
        if event.kind in ("trained", "failed"):
            with ends.open("a") as file:
                file.write(f"{event.number}\n")

    journal = Journal.open(run) if journal_path(run).exists() else Journal.create(run, make_plan())
    executor = ParallelExecutor(NoProcess, workers=4)
    with journal:
        sys.stdout.write("running\n")
        sys.stdout.flush()
        run_search(journal, FakeLatency(), Noting(seconds=0.02), executor, hear)
    executor.shutdown()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
