"""A search in its own process, to be killed: ``python -m tests.search.search_process RUN STARTS [PLAN]``.

Each training that starts adds its individual's genome to the file STARTS. PLAN is ``accelerated`` or nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.genome import Genome, genome_id
from tvnsearch.search import Journal, SearchPlan, journal_path, run_search

ACCELERATED = make_plan(trainings=40, iterations=90, early_stopping=True, fitness_predictor=True)


def main(run: Path, starts: Path, plan: SearchPlan) -> None:
    def hook(step: str, genome: Genome) -> None:
        if step == "train":
            with starts.open("a") as file:
                file.write(genome_id(genome) + "\n")

    journal = Journal.open(run) if journal_path(run).exists() else Journal.create(run, plan)
    with journal:
        sys.stdout.write("running\n")
        sys.stdout.flush()
        run_search(journal, FakeLatency(), FakeFitness(hook, seconds=0.004), in_process(), lambda event: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), ACCELERATED if "accelerated" in sys.argv else make_plan())
