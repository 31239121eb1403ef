from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from tests.search.fakes import FakeFitness, FakeLatency, fitness, in_process, make_plan, measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.search import (
    Candidate,
    Journal,
    LatencyEstimate,
    Verdict,
    Winner,
    journal_path,
    run_search,
)
from tvnsearch.search.protocols import Fitness


def accepted(number: int) -> Candidate:

    genome = sample_genome(make_plan().space, random.Random(number))
    verdict = Verdict("accepted", 10, 20, LatencyEstimate(1.0, 0.9, 1.1), measurement(1.0))
    return Candidate(number, None, genome, genome_id(genome), verdict)


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan()) as journal:
        journal.record_candidates([accepted(0), accepted(1)], 1.0)
        journal.record_candidates([accepted(2)], 2.0)
        journal.record_trained(1, fitness(0.7), seconds=3.0, elapsed_seconds=5.0)
        journal.record_failed(0, "the loss is NaN", seconds=1.0, elapsed_seconds=6.0)
    with Journal.open(run) as journal:
        assert journal.plan == make_plan()
        assert journal.pending() == [accepted(2)]
        assert journal.failures() == {0: "the loss is NaN"}
        [individual] = journal.individuals()
        assert (individual.number, individual.fitness) == (1, fitness(0.7))
        assert individual.genome == accepted(1).genome
        assert journal.next_number == 3
        assert journal.elapsed_seconds == 6.0
        assert journal.winner() is None
        journal.record_winner(Winner(individual, measurement(1.5)), 7.0)
        assert journal.winner() == Winner(individual, measurement(1.5))
        assert journal.winner_is_final()
        journal.record_trained(2, fitness(0.9), seconds=3.0, elapsed_seconds=9.0)
        assert not journal.winner_is_final()


def test_predictions_are_those_of_all_candidates_that_have_one(tmp_path: Path) -> None:
    genome = sample_genome(make_plan().space, random.Random(1))
    counted = Candidate(1, None, genome, "", Verdict("rejected_params", 10, 20))
    predicted = Candidate(
        2, None, genome, "", Verdict("rejected_predicted", 10, 20, LatencyEstimate(9.0, 8.0, 11.0))
    )
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        assert journal.predictions() == []
        journal.record_candidates([accepted(0), counted, predicted], 1.0)
        assert journal.predictions() == [(0, 1.0), (2, 9.0)]


def test_a_batch_is_recorded_whole_or_not_at_all(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        journal.record_candidates([accepted(1)], 1.0)
        with pytest.raises(sqlite3.IntegrityError):
            journal.record_candidates([accepted(0), accepted(1)], 2.0)
        assert journal.pending() == [accepted(1)]
        assert journal.elapsed_seconds == 1.0


def test_scores_that_the_data_do_not_define_stay_undefined(tmp_path: Path) -> None:
    scores = Fitness(0.4, top1=None, top5=None, mean_average_precision=0.4, seconds=1.0, iterations=5)
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        journal.record_candidates([accepted(0)], 1.0)
        journal.record_trained(0, scores, seconds=1.0, elapsed_seconds=2.0)
        assert journal.individuals()[0].fitness == scores


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan()):
        with pytest.raises(UserError, match=f"process {os.getpid()} on .* is writing it"):
            Journal.open(run)
        with pytest.raises(UserError, match=f"process {os.getpid()} on .* is writing it"):
            Journal.create(run, make_plan())
        with Journal.read(run) as reader:
            assert reader.next_number == 0
    Journal.open(run).close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    with Journal.read(tmp_path / "run") as reader, pytest.raises(sqlite3.OperationalError):
        reader.record_line("nothing", 0.0)


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan(seed=1)).close()
    with pytest.raises(UserError, match=r"holds one; go on with it by `tvnsearch resume"):
        Journal.create(tmp_path / "run", make_plan(seed=2))
    with Journal.read(tmp_path / "run") as journal:
        assert journal.plan.search.seed == 1


def test_a_folder_that_holds_the_leavings_of_a_killed_creation_can_become_a_run(tmp_path: Path) -> None:
    (tmp_path / "journal.new").write_bytes(b"half a journal")
    (tmp_path / "journal.lock").touch()
    Journal.create(tmp_path, make_plan(seed=3)).close()
    with Journal.open(tmp_path) as journal:
        assert (journal.plan.search.seed, journal.next_number) == (3, 0)
    assert not (tmp_path / "journal.new").exists()


def test_a_folder_without_a_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    for look in (Journal.open, Journal.read):
        with pytest.raises(UserError, match="expected the folder of a run at"):
            look(tmp_path)
        with pytest.raises(UserError, match="expected the folder of a run at"):
            look(tmp_path / "missing")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="expected to make the folder"):
        Journal.create(tmp_path / "file" / "run", make_plan())


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be taken for one" * 100])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    journal_path(tmp_path).write_bytes(content)
    with pytest.raises(UserError, match="it is another kind of file"):
        Journal.open(tmp_path)
    assert journal_path(tmp_path).read_bytes() == content


def test_another_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(journal_path(tmp_path))
    connection.execute("CREATE TABLE plan (json TEXT)")
    connection.close()
    with pytest.raises(UserError, match="it is another kind of file"):
        Journal.open(tmp_path)


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    Journal.create(tmp_path, make_plan()).close()
    connection = sqlite3.connect(journal_path(tmp_path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UserError, match=r"expected a journal of version 6 in .*, but it is of version 99"):
        Journal.open(tmp_path)


def test_a_journal_whose_plan_cannot_be_read_is_refused_and_unlocked(tmp_path: Path) -> None:
    Journal.create(tmp_path, make_plan()).close()
    connection = sqlite3.connect(journal_path(tmp_path))
    connection.execute("""UPDATE plan SET json = '{"budget": {"max_ms": "fast"}}'""")
    connection.commit()
    connection.close()
    for _ in range(2):
        with pytest.raises(UserError, match=r"expected the plan of a search .*\$\.budget\.max_ms"):
            Journal.open(tmp_path)


def test_the_journal_of_a_long_run_stays_small(tmp_path: Path) -> None:
    """Genomes rejected on paper are not kept: thousands of them come to one that is trained."""
    run = tmp_path / "run"
    with Journal.create(run, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        counts = journal.verdict_counts()
    connection = sqlite3.connect(journal_path(run))
    [[kept]] = connection.execute("SELECT COUNT(*) FROM candidates WHERE genome IS NOT NULL")
    connection.close()
    assert kept == counts["duplicate"] + counts["rejected_measured"] + counts["accepted"]
    assert counts["rejected_params"] + counts["rejected_predicted"] > 0
