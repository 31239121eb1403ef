"""A search with several trainings in progress: what it keeps to, and what it may not lose."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.search.fakes import FakeFitness, FakeLatency, NoProcess, all_trained, make_plan, pending
from tests.search.simulated import SimulatedExecutor, SpreadFitness
from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome
from tvnsearch.search import (
    Fitness,
    Journal,
    SearchPlan,
    SearchProgress,
    TrainingRequest,
    Winner,
    run_search,
    weights_path,
)
from tvnsearch.search.executors import ParallelExecutor, RemoteWorker
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.workers import WorkerDiedError

REPOSITORY = Path(__file__).parents[2]


def simulate(run: Path, plan: SearchPlan, workers: int) -> tuple[SimulatedExecutor, list[SearchProgress]]:
    executor, events = SimulatedExecutor(workers), []
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), SpreadFitness(), executor, events.append, executor.clock)
    return executor, events


def test_eight_workers_whose_trainings_take_a_tenfold_spread_are_busy(tmp_path: Path) -> None:
    executor, _ = simulate(tmp_path / "run", make_plan(trainings=240), workers=8)
    assert executor.most_at_once == 8
    assert executor.busy_seconds > 0.95 * 8 * executor.now  # what is left is the end, when work runs out


def test_no_more_is_trained_than_planned_and_nothing_twice(tmp_path: Path) -> None:
    run = tmp_path / "run"
    _, events = simulate(run, make_plan(trainings=61), workers=8)
    begun = [event.number for event in events if event.kind == "training" and event.text]
    assert len(begun) == len(set(begun)) == 61
    with Journal.read(run) as journal:
        individuals = all_trained(journal)
        assert len(individuals) + len(journal.history().failures) == 61
        assert not pending(journal)
        assert len({individual.genome_id for individual in individuals}) == len(individuals)


def test_what_ends_first_is_told_first(tmp_path: Path) -> None:
    _, events = simulate(tmp_path / "run", make_plan(trainings=80), workers=8)
    begun = [event.number for event in events if event.kind == "training" and event.text]
    ended = [event.number for event in events if event.kind in ("trained", "failed")]
    assert sorted(begun) == sorted(ended)
    assert begun != ended
    at = [event.elapsed_seconds for event in events]
    assert at == sorted(at)


def test_the_same_times_make_the_same_search(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(tmp_path / name, make_plan(), workers=3)
    with Journal.read(tmp_path / "one") as one, Journal.read(tmp_path / "two") as two:
        assert all_trained(one) == all_trained(two)


def test_no_training_starts_that_would_end_after_the_time(tmp_path: Path) -> None:
    executor, events = simulate(tmp_path / "run", make_plan(trainings=1000, minutes=1.0), workers=4)
    starts = [event.elapsed_seconds for event in events if event.kind == "training" and event.text]
    assert max(starts) < 60.0
    assert executor.now < 70.0
    assert events[-1].kind == "finished"


def test_workers_stand_still_while_the_device_is_measured(tmp_path: Path) -> None:
    """Also when a training would rather begin: it is not heard of before the measurement has ended."""
    measuring = threading.Event()
    seen: list[str] = []

    class Still(NoProcess):
        def __init__(self) -> None:
            self.paused = False

        def pause(self) -> None:
            self.paused = True

        def resume(self) -> None:
            self.paused = False

    class Slow(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            measuring.set()
            time.sleep(0.002)
            seen.extend("moves" for worker in workers if not worker.paused)
            measuring.clear()
            return super().measure(genome)

    workers: list[Still] = []

    def begin() -> Still:
        assert not measuring.is_set()
        workers.append(Still())
        return workers[-1]

    executor = ParallelExecutor(begin, workers=3)
    with Journal.create(tmp_path / "run", make_plan(trainings=30)) as journal:
        run_search(journal, Slow(), FakeFitness(seconds=0.03), executor, lambda event: None)
    executor.shutdown()
    assert 1 <= len(workers) <= 3
    assert not seen
    assert not any(worker.paused for worker in workers)


def test_workers_go_on_while_a_device_elsewhere_is_measured(tmp_path: Path) -> None:
    """They have no part in what is measured on another machine."""
    paused: list[NoProcess] = []

    class Watched(NoProcess):
        def pause(self) -> None:
            paused.append(self)

    plan = make_plan(trainings=30)
    plan = replace(plan, device=replace(plan.device, name="ssh:board"))
    executor = ParallelExecutor(Watched, workers=3)
    with Journal.create(tmp_path / "run", plan) as journal:
        run_search(journal, FakeLatency(), FakeFitness(seconds=0.01), executor, lambda event: None)
        assert all_trained(journal)
    executor.shutdown()
    assert not paused


def test_an_individual_whose_worker_dies_is_trained_by_another(tmp_path: Path) -> None:
    class Mortal(NoProcess):
        pass

    tried: Counter[int] = Counter()

    class Deadly(FakeFitness):
        """Each third individual kills its first worker, and one kills whoever touches it."""

        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            tried[request.number] += 1
            if request.number == doomed or (tried[request.number] == 1 and len(tried) % 3 == 0):
                raise WorkerDiedError("killed")
            return super().__call__(worker, request, on_progress)

    executor = ParallelExecutor(Mortal, workers=4)
    with Journal.create(tmp_path / "run", make_plan(trainings=30)) as journal:
        doomed = -1
        winner = run_search(journal, FakeLatency(), Deadly(fails=False), executor, lambda event: None)
        assert isinstance(winner, Winner)
        assert len(all_trained(journal)) == 30
        assert sorted(tried.values()) == [1] * 20 + [2] * 10
    tried.clear()
    with Journal.create(tmp_path / "doomed", make_plan(trainings=3)) as journal:
        doomed = next(number for number in sorted(_accepted(tmp_path / "run")))
        run_search(journal, FakeLatency(), Deadly(fails=False), executor, lambda event: None)
        assert journal.history().failures == {doomed: "killed"}
    executor.shutdown()


def _accepted(run: Path) -> set[int]:
    with Journal.read(run) as journal:
        return {individual.number for individual in all_trained(journal)}


def test_weights_of_what_trains_and_of_its_parent_are_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    missing: list[int] = []

    class Inheriting(FakeFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            fitness = super().__call__(worker, request, on_progress)
            time.sleep(random.Random(request.seed).uniform(0.0, 0.01))
            for number in (request.number, request.parent):
                if number is not None and not weights_path(run, number).is_file():
                    missing.append(number)
            return fitness

    executor = ParallelExecutor(NoProcess, workers=6)
    plan = make_plan(population=3, tournament=2, trainings=100, strategy="ageing")
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), Inheriting(fails=False), executor, lambda event: None)
    executor.shutdown()
    assert not missing
    assert 3 <= len(list((run / "weights").iterdir())) <= 4


def kill_and_resume_until_done(run: Path, folder: Path, kills: int, seed: int) -> int:
    """Kill a parallel search ``kills`` times, let it end, and return how often it was caught alive."""
    rng, caught = random.Random(seed), 0
    starts, ends = folder / "starts", folder / "ends"
    known: set[str] = set()
    for round_number in range(kills + 1):
        starts.write_text("")
        ends.write_text("")
        command = [sys.executable, "-m", "tests.search.parallel_process", str(run), str(starts), str(ends)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if round_number < kills:
                time.sleep(rng.uniform(0.0, 0.08))
                process.send_signal(signal.SIGKILL)
            caught += process.wait() == -signal.SIGKILL
        begun = starts.read_text().split()
        assert len(set(begun)) == len(begun), "trained twice by one process"
        assert not known & set(begun), "what was kept was trained again"
        ended = set(ends.read_text().split())
        with Journal.read(run) as journal:
            known = {str(individual.number) for individual in all_trained(journal)}
            known |= {str(number) for number in journal.history().failures}
            assert ended <= known, "what was said to be finished is lost"
            waiting = {str(number) for number in pending(journal)}
            assert round_number == kills or set(begun) - known <= waiting, "what was in progress is lost"
    return caught


def test_a_killed_parallel_search_keeps_what_was_finished_and_trains_the_rest_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert kill_and_resume_until_done(run, tmp_path, kills=6, seed=1) >= 4
    with Journal.read(run) as journal:
        assert len(all_trained(journal)) + len(journal.history().failures) == make_plan().search.trainings
        assert not pending(journal)
        assert journal.history().winner is not None


@pytest.mark.slow
def test_a_parallel_search_killed_a_hundred_times_loses_nothing(tmp_path: Path) -> None:
    caught = 0
    for seed in range(10):
        (tmp_path / str(seed)).mkdir()
        caught += kill_and_resume_until_done(
            tmp_path / f"run{seed}", tmp_path / str(seed), kills=10, seed=seed
        )
    assert caught >= 50
