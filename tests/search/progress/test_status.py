from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from tests.search.fakes import FakeFitness, FakeLatency, fitness, in_process, make_plan, measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Budget, Candidate, Journal, Verdict, run_search, summarise
from tvnsearch.search.events import Judged, Trained
from tvnsearch.search.records import Rejected, VerdictKind


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    summary = summarise(tmp_path / "run")
    assert (summary.sampled, summary.trained, summary.hours) == (0, 0, 0.0)
    assert summary.winner is None
    assert summary.best_fitness is None


def test_a_finished_run_gives_the_fixed_keys(tmp_path: Path) -> None:
    run = tmp_path / "run"
    budget = Budget(max_ms=2.0, max_params=100_000, max_gflops=0.02, max_mb=0.2)
    with Journal.create(run, make_plan(budget=budget)) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        counts = journal.history().verdicts
        failed = len(journal.history().failures)
    assert winner is not None
    told = msgspec.to_builtins(summarise(run))
    assert told["run"] == str(run)
    assert told["sampled"] == sum(counts.values())
    assert told["rejected_params"] == counts["rejected_params"]
    assert told["rejected_gflops"] == counts["rejected_gflops"] > 0
    assert told["rejected_mb"] == counts["rejected_mb"] > 0
    assert told["rejected_predicted"] == counts["rejected_predicted"]
    assert told["rejected_measured"] == counts["rejected_measured"]
    assert told["trained"] == counts["accepted"] - failed
    assert told["hours"] > 0
    assert told["hours_saved"] >= 0
    assert told["winner"]["genome"] == msgspec.to_builtins(winner.individual.genome)
    assert told["winner"]["latency_ms"] == winner.measurement.latency_ms
    assert told["winner"]["ci_high_ms"] <= make_plan().budget.max_ms
    assert {"ci_low_ms", "params", "macs", "fitness", "top1", "top5"} <= told["winner"].keys()


def test_duplicates_of_trained_networks_save_the_mean_training_time(tmp_path: Path) -> None:
    space = load_space("digits")
    genomes = [sample_genome(space, random.Random(seed)) for seed in range(3)]
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        judged: list[tuple[Genome, VerdictKind]] = [
            (genomes[0], "accepted"),
            (genomes[1], "accepted"),
            (genomes[2], "rejected_measured"),
        ]
        for number, (genome, kind) in enumerate(judged):
            verdict = Verdict(kind, 1, 1, None, measurement(1.0))
            candidate = Candidate(number, None, genome, genome_id(genome), verdict)
            journal.append(Judged(measured=candidate), 1.0)
        duplicates = (0, 0, 1, 2)  # of the last only a measurement was saved
        journal.append(
            Judged(
                tuple(
                    Rejected(number, None, Verdict("duplicate", 1, 1), genome_id(genomes[place]))
                    for number, place in enumerate(duplicates, 3)
                )
            ),
            1.0,
        )
        journal.append(Trained(0, fitness(0.5), seconds=1800.0), 1801.0)
        journal.append(Trained(1, fitness(0.5), seconds=5400.0), 7201.0)
    assert summarise(tmp_path / "run").hours_saved == pytest.approx(3.0)


def test_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected the folder of a run at"):
        summarise(tmp_path)
