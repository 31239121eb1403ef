from __future__ import annotations

import math
import os
import random
import sqlite3
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from tests.search.fakes import (
    FakeFitness,
    FakeLatency,
    fitness,
    in_process,
    make_plan,
    measurement,
    untrusted,
)
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.search import (
    Candidate,
    Journal,
    LatencyEstimate,
    SearchPlan,
    Verdict,
    Winner,
    journal_path,
    run_search,
)
from tvnsearch.search.events import (
    Amended,
    Begun,
    Controlled,
    Event,
    Failed,
    FinalMeasured,
    FinalTrained,
    Judged,
    Noted,
    Opened,
    Paused,
    Promoted,
    Remeasured,
    Returned,
    RungPassed,
    Trained,
    WinnerChosen,
)
from tvnsearch.search.protocols import Fitness
from tvnsearch.search.records import Rejected


def accepted(number: int) -> Candidate:
    genome = sample_genome(make_plan().space, random.Random(number))
    verdict = Verdict("accepted", 10, 20, LatencyEstimate(1.0, 0.9, 1.1), measurement(1.0))
    return Candidate(number, None, genome, genome_id(genome), verdict)


REJECTED = Rejected(3, 1, Verdict("rejected_predicted", 10, 20, LatencyEstimate(9.0, 8.0, 11.0)))
COUNTED = Verdict("rejected_params", 10, 20)
ON_OTHERS = Verdict("rejected_on_others", 10, 20, on_others={"nvidia-h200": LatencyEstimate(9.0, 8.0, 11.0)})
EVENTS: list[Event] = [
    Opened(workers=2, elapsed_seconds=0.5),
    Judged(measured=accepted(0)),
    Judged(
        (Rejected(1, None, Verdict("rejected_params", 10, 20)), Rejected(2, None, ON_OTHERS)), accepted(2)
    ),
    Judged((REJECTED, Rejected(4, 2, Verdict("duplicate", 10, 20), accepted(0).genome_id))),
    Begun(0, 1.5),
    RungPassed(0, fitness(0.5), 2.0),
    Paused(0, replace(fitness(0.7), stopped=True, reached=0.5), 4.0),
    Promoted(0),
    Trained(0, fitness(0.75), 6.0),
    Failed(2, "the loss is NaN", 1.0),
    Returned(4, "OSError: [Errno 28] No space left on device", 1.5, from_scratch=True),
    Begun(0, 8.0, from_scratch=True),
    Controlled(0, None, next_number=5, reason="out of memory"),
    Controlled(0, 0.6, next_number=5, seconds=3.0),
    WinnerChosen(0, measurement(1.5)),
    FinalMeasured(0, measurement(1.6)),
    FinalTrained(0, None),
    FinalTrained(0, Fitness(0.4, None, None, mean_average_precision=0.4, seconds=1.0, iterations=5)),
    Noted("nothing “special”"),
    Judged(measured=replace(accepted(5), verdict=Verdict("undecided", 10, 20, measurement=untrusted(1.0)))),
    Remeasured(accepted(5)),
    Amended(trainings=80, minutes=33.0, winner_minutes=18.0),
    Amended(data="/clips", clips="folders:/clips", db="/latency.sqlite"),
    Amended(trainings=90),
]


def test_what_is_recorded_is_read_again_in_its_order(tmp_path: Path) -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event)), "every kind of event"
    run = tmp_path / "run"
    with Journal.create(run, make_plan()) as journal:
        for seconds, event in enumerate(EVENTS):
            journal.append(event, float(seconds))
    with Journal.open(run) as journal:
        assert list(journal.events()) == EVENTS
        assert journal.elapsed_seconds == len(EVENTS) - 1
        journal.tick(99.0)
        assert journal.elapsed_seconds == 99.0


def test_the_plan_is_what_a_run_began_with_and_its_amendments(tmp_path: Path) -> None:
    run, begun = tmp_path / "run", make_plan(minutes=22.0)
    with Journal.create(run, begun) as journal, Journal.read(run) as beside:
        assert journal.plan == beside.plan == begun
        for event in EVENTS:
            journal.append(event, 0.0)
        plan = journal.plan
        assert plan == beside.plan
    assert (plan.search.trainings, plan.search.minutes, plan.winner_minutes) == (90, 33.0, 18.0)
    assert (plan.training.data, plan.clips, plan.device.db) == ("/clips", "folders:/clips", "/latency.sqlite")
    assert (plan.asked, plan.search.population, plan.space) == (begun.asked, 12, begun.space)
    with Journal.open(run) as again:
        assert again.plan == plan


def test_the_history_is_what_the_events_come_to(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        for event in EVENTS[:10]:
            journal.append(event, 0.0)
        history = journal.history()
        assert history.next_number == 5
        assert {kind: count for kind, count in history.verdicts.items() if count} == {
            "accepted": 2,
            "rejected_params": 1,
            "rejected_on_others": 1,
            "rejected_predicted": 1,
            "duplicate": 1,
        }
        assert history.trainings_saved == 1
        assert history.failures == {2: "the loss is NaN"}
        [individual] = history.individuals.values()
        assert (individual.number, individual.fitness) == (0, fitness(0.75))
        assert individual.genome == accepted(0).genome
        assert history.training_seconds == {0: 6.0}
        assert history.winner is None
        journal.append(WinnerChosen(0, measurement(1.5)), 7.0)
        history = journal.history()
        assert history.winner == Winner(individual, measurement(1.5))
        assert history.winner_is_final
        journal.append(Judged(measured=accepted(5)), 8.0)
        assert journal.history().winner_is_final
        journal.append(Trained(5, fitness(0.9), seconds=3.0), 9.0)
        assert not journal.history().winner_is_final


def test_a_run_whose_names_are_no_text_is_kept_and_read_like_any_other(tmp_path: Path) -> None:
    run = tmp_path / os.fsdecode(b"\xe9")
    with Journal.create(run, make_plan()) as journal:
        journal.append(Noted(f"no room in {run.name}"), 1.0)
    with Journal.read(run) as journal:
        assert Noted("no room in \\xe9") in list(journal.events())


def test_an_event_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        journal.append(Noted("one"), 0.0)
    connection = sqlite3.connect(journal_path(tmp_path / "run"))
    connection.execute("""UPDATE events SET json = '{"type": "noted"}'""")
    connection.commit()
    connection.close()
    with (
        Journal.read(tmp_path / "run") as journal,
        pytest.raises(UserError, match=r"events of a search in .* number 1 cannot be read .*`text`"),
    ):
        journal.history()


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan()):
        with pytest.raises(UserError, match=f"process {os.getpid()} on .* is writing it"):
            Journal.open(run)
        with pytest.raises(UserError, match="holds one; go on with it by"):
            Journal.create(run, make_plan())
        with Journal.read(run) as reader:
            assert not list(reader.events())
    Journal.open(run).close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    with Journal.read(tmp_path / "run") as reader, pytest.raises(UserError, match="it is read-only here"):
        reader.append(Noted("nothing"), 0.0)


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
        assert (journal.plan.search.seed, journal.history().next_number) == (3, 0)
    assert not (tmp_path / "journal.new").exists()


def test_a_folder_without_a_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    for look in (Journal.open, Journal.read):
        with pytest.raises(UserError, match="expected the folder of a run at"):
            look(tmp_path)
        with pytest.raises(UserError, match="expected the folder of a run at"):
            look(tmp_path / "missing")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "plan",
    [
        replace(make_plan(), seconds_per_training=math.inf),
        replace(make_plan(), winner_minutes=math.nan),
        replace(make_plan(), class_names=("\udce9",)),
    ],
    ids=["no end", "no number", "no text"],
)
def test_a_run_that_nothing_could_read_is_never_written(plan: SearchPlan, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a plan that can be read again"):
        Journal.create(tmp_path / "run", plan)
    assert not (tmp_path / "run").exists()


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
    with pytest.raises(UserError, match=r"expected a journal of version 8 in .*, but it is of version 99"):
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
        counts = journal.history().verdicts
    with Journal.read(run) as journal:
        judged = [event for event in journal.events() if isinstance(event, Judged)]
    kept = sum(event.measured is not None for event in judged)
    assert kept == counts["rejected_measured"] + counts["accepted"]
    assert sum(len(event.rejected) for event in judged) + kept == sum(counts.values())
    assert counts["rejected_params"] + counts["rejected_predicted"] > 0
    assert sum(len(msgspec.json.encode(one)) for event in judged for one in event.rejected) < 300 * sum(
        len(event.rejected) for event in judged
    )
