"""A search in its own process, to be killed: ``python -m tests.search.search_process RUN STARTS [PLAN]``.

Each training that starts adds its individual's genome to the file STARTS. PLAN is ``accelerated``,
``started`` or nothing.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from msgspec.structs import replace

from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.search import Journal, SearchPlan, journal_path, run_search
from tvnsearch.search.plan import Start

ACCELERATED = make_plan(trainings=40, iterations=90, early_stopping=True, fitness_predictor=True)


STARTED = replace(
    make_plan(),
    start=tuple(
        Start(f"{number}", sample_genome(make_plan().space, random.Random(f"start {number}")))
        for number in range(40)
    ),
)
"""Starts from more genomes than are judged in one batch; some keep the budget."""


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
    plans = {"accelerated": ACCELERATED, "started": STARTED}
    main(Path(sys.argv[1]), Path(sys.argv[2]), plans[sys.argv[3]] if sys.argv[3:] else make_plan())
