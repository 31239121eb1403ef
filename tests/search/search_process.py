"""A search in a process of its own, to be killed: ``python -m tests.search.search_process RUN STARTS``.

Each training that starts adds its individual's genome to the file STARTS.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.genome import Genome, genome_id
from tvnsearch.search import Journal, journal_path, run_search


def main(run: Path, starts: Path) -> None:
    def hook(step: str, genome: Genome) -> None:
        if step == "train":
            with starts.open("a") as file:
                file.write(genome_id(genome) + "\n")

    journal = Journal.open(run) if journal_path(run).exists() else Journal.create(run, make_plan())
    with journal:
        sys.stdout.write("running\n")
        sys.stdout.flush()
        run_search(journal, FakeLatency(), FakeFitness(hook, seconds=0.004), in_process(), lambda event: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
