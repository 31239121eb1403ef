"""A run that is stopped, by whatever and whenever, makes the decisions of one that was not."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.fakes import FakeFitness, FakeLatency, all_trained, decisions, in_process, make_plan
from tests.search.search_process import ACCELERATED, STARTED
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome
from tvnsearch.search import Journal, run_search, summarise, weights_path
from tvnsearch.search.candidates import judge
from tvnsearch.search.events import Paused

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    with Journal.create(run, make_plan()) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


def start(run: Path, starts: Path, *plan: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.search.search_process", str(run), str(starts), *plan],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def trained_ids(run: Path) -> set[str]:
    with Journal.read(run) as journal:
        return {individual.genome_id for individual in all_trained(journal)}


def kill_and_resume_until_done(run: Path, starts: Path, kills: int, seed: int, *plan: str) -> int:
    """Kill a search ``kills`` times, let it end, and return how often it was caught alive."""
    rng = random.Random(seed)
    caught = 0
    for round_number in range(kills + 1):
        known = trained_ids(run) if (run / "journal.sqlite").exists() else set()
        starts.write_text("")
        process = start(run, starts, *plan)
        assert process.stdout is not None
        if round_number < kills:
            if round_number:  # the first kill may also come before there is a journal
                process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.06))
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        process.stdout.close()
        caught += code == -signal.SIGKILL
        started = starts.read_text().split()
        assert len(set(started)) == len(started)
        assert not known & set(started), "what was reported as trained was trained again"
    return caught


def test_killed_search_decides_as_an_undisturbed_one(undisturbed: Path, tmp_path: Path) -> None:
    caught = kill_and_resume_until_done(tmp_path / "run", tmp_path / "starts", kills=8, seed=0)
    assert caught >= 4
    assert decisions(tmp_path / "run") == decisions(undisturbed)


def test_killed_search_that_starts_from_genomes_decides_as_an_undisturbed_one(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "whole", STARTED) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        trained = all_trained(journal)
    assert any(one.number < 40 and one.genome == STARTED.start[one.number].genome for one in trained)
    assert kill_and_resume_until_done(tmp_path / "run", tmp_path / "starts", 5, 1, "started") >= 2
    assert decisions(tmp_path / "run") == decisions(tmp_path / "whole")


def test_killed_accelerated_search_decides_as_an_undisturbed_one(tmp_path: Path) -> None:
    """With trainings that are paused and go on, and children that are chosen."""
    with Journal.create(tmp_path / "whole", ACCELERATED) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        assert any(isinstance(event, Paused) for event in journal.events())
    rng, caught, run = random.Random(0), 0, tmp_path / "run"
    for kill in range(6):
        process = start(run, tmp_path / "starts", "accelerated")
        assert process.stdout is not None
        process.stdout.readline()
        if kill < 5:
            time.sleep(rng.uniform(0.3, 1.0))  # the libraries take most of it
            process.send_signal(signal.SIGKILL)
        caught += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert caught
    assert decisions(run) == decisions(tmp_path / "whole")


@pytest.mark.slow
def test_search_killed_a_hundred_times_decides_as_an_undisturbed_one(
    undisturbed: Path, tmp_path: Path
) -> None:
    for seed in range(12):
        run = tmp_path / f"run{seed}"
        kill_and_resume_until_done(run, tmp_path / "starts", kills=9, seed=seed)
        assert decisions(run) == decisions(undisturbed)


@settings(max_examples=15, deadline=None)
@given(stops=st.lists(st.integers(0, 40), max_size=6), failure=st.sampled_from([KeyboardInterrupt, OSError]))
def test_search_stopped_in_any_step_decides_as_an_undisturbed_one(
    undisturbed: Path,
    tmp_path_factory: pytest.TempPathFactory,
    stops: list[int],
    failure: type[BaseException],
) -> None:
    run = tmp_path_factory.mktemp("stopped") / "run"
    Journal.create(run, make_plan()).close()
    measured: list[str] = []
    trained: list[int] = []
    for stop in [*stops, None]:
        steps = 0

        def hook(step: str, genome: Genome, stop: int | None = stop) -> None:
            nonlocal steps
            if steps == stop:
                raise failure
            steps += 1

        latency, fitness = FakeLatency(hook), FakeFitness(hook)
        with Journal.open(run) as journal:
            try:
                run_search(journal, latency, fitness, in_process(), lambda event: None)
            except failure:
                assert stop is not None
        measured += latency.measured
        trained += fitness.trained
    assert decisions(run) == decisions(undisturbed)
    assert len(trained) == len(set(trained)) == make_plan().search.trainings
    with Journal.read(run) as journal:
        assert journal.history().winner is not None
    assert len(measured) == len(set(measured)), "a genome was measured twice before the end"


def test_batches_do_not_show_in_the_decisions(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "FIRST_BATCH", 1)
    monkeypatch.setattr(judge, "LARGEST_BATCH", 1)
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    assert decisions(tmp_path / "run") == decisions(undisturbed)


def test_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(trainings=15)) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    before = decisions(run)
    latency, fitness = FakeLatency(), FakeFitness()
    with Journal.open(run) as journal:
        assert run_search(journal, latency, fitness, in_process(), lambda event: None) == winner
    assert decisions(run) == before
    assert not latency.measured
    assert not fitness.trained


def test_weights_of_an_unfinished_training_go_when_the_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(trainings=1)) as journal:
        weights_path(run, 999).write_bytes(b"half")
        run_search(journal, FakeLatency(), FakeFitness(fails=False), in_process(), lambda event: None)
    assert not weights_path(run, 999).exists()


def test_a_running_search_is_written_by_one_process_and_read_by_many(tmp_path: Path) -> None:
    run, starts = tmp_path / "run", tmp_path / "starts"
    process = start(run, starts)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "running\n"
        with pytest.raises(UserError, match=f"but process {process.pid} on .* is writing it; wait for it"):
            Journal.open(run)
        assert summarise(run).trained <= 60
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with Journal.open(run) as journal:
        assert journal.plan == make_plan()
