"""The figures of a search: the same from the events of who runs it and from the journal that others read."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_individual, make_plan, measurement
from tests.search.simulated import SimulatedExecutor, SpreadFitness
from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Candidate, Fitness, Journal, SearchProgress, Verdict, run_search
from tvnsearch.search.events import Begun, Event, Failed, Judged, Opened, RungPassed, Trained
from tvnsearch.search.progress.figures import front_of
from tvnsearch.search.progress.status import read_figures, summarise

GENOME = sample_genome(load_space("digits"), random.Random(0))
VALUES = st.lists(st.tuples(*[st.integers(0, 6)] * 3), max_size=40)


@given(VALUES)
def test_the_front_is_what_nothing_dominates(values: list[tuple[int, int, int]]) -> None:
    individuals = [
        make_individual(number, fitness, GENOME, latency_ms=latency_ms, params=params)
        for number, (fitness, latency_ms, params) in enumerate(values)
    ]
    front = front_of(individuals)
    costs = [(-fitness, latency_ms, params) for fitness, latency_ms, params in values]
    best = {
        cost
        for cost in costs
        if not any(other != cost and all(map(int.__le__, other, cost)) for other in costs)
    }
    assert {(-point.fitness, point.latency_ms, point.params) for point in front} == best
    assert len(front) == len(best)
    assert [point.latency_ms for point in front] == sorted(point.latency_ms for point in front)


class Quick(FakeLatency):
    """A fifth of the networks is faster than was thought possible."""

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        measured = super().measure(genome)
        is_quick = random.Random(genome_id(genome)).random() < 0.2
        return measurement(measured.latency_ms / 2) if is_quick else measured


def test_who_looks_on_sees_what_who_runs_it_sees(tmp_path: Path) -> None:
    run, events = tmp_path / "run", list[SearchProgress]()
    executor = SimulatedExecutor(workers=3)

    def hear(event: SearchProgress) -> None:
        events.append(event)
        if event.kind in ("trained", "failed"):
            seen = read_figures(run)
            assert seen.counts == event.counts
            assert seen.front == event.front
            assert seen.best_fitness == event.best_fitness
            assert seen.under_bound_share == event.under_bound_share
            assert seen.workload == event.workload
            assert len(seen.workload.training) <= 2

    with Journal.create(run, make_plan(trainings=40)) as journal:
        run_search(journal, Quick(), SpreadFitness(), executor, hear, executor.clock)
    last = events[-1]
    assert last.under_bound_share is not None
    assert 0.05 < last.under_bound_share < 0.5
    assert last.workload.workers == 3
    assert last.workload.training == ()
    assert 0.8 < max(event.workload.busy_share for event in events) <= 1.0
    summary = summarise(run)
    assert (summary.trainings, summary.workers, summary.in_training) == (40, 3, ())
    assert summary.front == last.front
    assert summary.hours_left == 0.0


def test_what_trains_now_is_seen_from_another_process(tmp_path: Path) -> None:
    run, seen = tmp_path / "run", list[tuple[int, ...]]()

    def look(step: str, genome: Genome) -> None:
        if step == "train":
            seen.append(read_figures(run).workload.training)

    with Journal.create(run, make_plan(trainings=5)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(look), in_process(), lambda event: None)
    with Journal.read(run) as journal:
        ended = [event.number for event in journal.events() if isinstance(event, Trained | Failed)]
    assert seen == [(number,) for number in ended]


def test_a_worker_is_free_between_a_rung_and_what_follows_and_each_second_counts_once(tmp_path: Path) -> None:
    fitness = Fitness(0.5, None, None, None, seconds=1.0, iterations=5)
    genome = sample_genome(load_space("digits"), random.Random(0))
    verdict = Verdict("accepted", 1, 1, None, measurement(1.0))
    events: list[Event] = [
        Opened(workers=2, elapsed_seconds=0.0),
        Judged(measured=Candidate(0, None, genome, genome_id(genome), verdict)),
        Begun(0, 10.0),
        RungPassed(0, fitness, 40.0),
    ]
    with Journal.create(tmp_path / "run", make_plan()) as journal:
        for event in events:
            journal.append(event, 50.0)
        assert read_figures(tmp_path / "run").workload.training == ()
        assert read_figures(tmp_path / "run").workload.busy_share == 0.4
        journal.append(Opened(workers=2, elapsed_seconds=50.0), 50.0)
        journal.append(Begun(0, 50.0), 50.0)
        journal.append(Trained(0, fitness, 60.0), 70.0)
    assert read_figures(tmp_path / "run").workload.busy_share == 0.5
