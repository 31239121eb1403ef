"""Measurements that are not to be trusted: what they decide, and what becomes of their candidates."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.search.fakes import (
    CLASSES,
    FakeFitness,
    FakeLatency,
    ShakyLatency,
    decisions,
    in_process,
    make_plan,
    measurement,
    shaky_tries,
    true_ms,
    untrusted,
)
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.search import Budget, BudgetGate, Journal, pick, run_search, summarise
from tvnsearch.search.candidates import judge
from tvnsearch.search.events import Amended, FinalMeasured, Judged, Remeasured

GENOME = sample_genome(make_plan().space, random.Random(1))
MS = true_ms(GENOME)


class Scripted(FakeLatency):
    """Gives these measurements one after the other, and notes how they were asked for."""

    def __init__(self, *measurements: Measurement) -> None:
        super().__init__(fails=False)
        self._measurements = list(measurements)
        self.asked: list[tuple[str, float | None]] = []

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        self.asked.append(("measure", limit_ms))
        return self._measurements.pop(0)

    def measure_afresh(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        self.asked.append(("afresh", limit_ms))
        return self._measurements.pop(0)


def wide(low_ms: float, high_ms: float) -> Measurement:
    return replace(untrusted(low_ms), ci_low_ms=low_ms, ci_high_ms=high_ms, latency_ms=(low_ms + high_ms) / 2)


def test_a_measurement_in_a_slow_phase_is_taken_again_in_another_process() -> None:
    latency = Scripted(untrusted(MS), measurement(MS))
    verdict = BudgetGate(Budget(1.05 * MS), CLASSES, latency).judge(GENOME)
    assert verdict.kind == "accepted"
    assert verdict.measurement == measurement(MS)
    assert latency.asked == [("measure", None), ("afresh", None)]


def test_what_stays_untrusted_near_the_budget_is_neither_accepted_nor_rejected() -> None:
    for shaky in (untrusted(MS), wide(0.9 * MS, 0.99 * MS), wide(1.2 * MS, 1.3 * MS)):
        verdict = BudgetGate(Budget(1.05 * MS), CLASSES, Scripted(shaky, shaky)).judge(GENOME)
        assert verdict.kind == "undecided"
        assert verdict.reason == shaky.reason != ""
        assert verdict.measurement == shaky


def test_what_is_predicted_within_the_budget_is_not_measured_longer_than_that_takes() -> None:
    latency = Scripted(measurement(MS))
    BudgetGate(Budget(2 * MS), CLASSES, latency).judge(GENOME)
    assert latency.asked == [("measure", 2 * MS)]


def test_what_is_far_over_the_budget_is_rejected_whatever_the_machine_does_if_it_was_expected_to_be() -> None:
    [estimate] = FakeLatency().estimate([GENOME])
    far = wide(2 * MS, 3 * MS)
    expected_over = (estimate.lower_ms + estimate.latency_ms) / 2
    assert BudgetGate(Budget(expected_over), CLASSES, Scripted(far)).judge(GENOME).kind == "rejected_measured"
    expected_within = (estimate.upper_ms + estimate.latency_ms) / 2
    assert BudgetGate(Budget(expected_within), CLASSES, Scripted(far, far)).judge(GENOME).kind == "undecided"


def search(run: Path, latency: FakeLatency, trainings: int = 40) -> None:
    with Journal.create(run, make_plan(trainings=trainings)) as journal:
        run_search(journal, latency, FakeFitness(), in_process(), lambda event: None)


def test_an_undecided_candidate_is_measured_again_after_another_one_and_not_for_ever(tmp_path: Path) -> None:
    latency = ShakyLatency()
    search(tmp_path / "run", latency, trainings=80)
    with Journal.read(tmp_path / "run") as journal:
        history, events = journal.history(), list(journal.events())
    assert all(one.measurement.trusted for one in history.individuals.values())
    assert {tries for identity in latency.tries if (tries := shaky_tries(identity))} >= {1, 2, 3, 4}
    measured = [event for event in events if isinstance(event, Judged | Remeasured) and event.measured]
    undecided = {
        event.measured.number: event.measured.genome_id
        for event in events
        if isinstance(event, Judged) and event.measured and event.measured.verdict.kind == "undecided"
    }
    assert undecided
    for number, identity in undecided.items():
        again = [
            (place, event)
            for place, event in enumerate(measured)
            if isinstance(event, Remeasured) and event.measured.number == number
        ]
        assert 1 <= len(again) <= 2
        # At first two measurements, then one more each time.
        expected = ["undecided"] * min(2, shaky_tries(identity) - 2)
        expected += ["decided"] * (len(expected) < 2)
        kinds = [
            "undecided" if event.measured.verdict.kind == "undecided" else "decided" for _, event in again
        ]
        assert kinds == expected[: len(kinds)]
        for place, _ in again:
            assert (
                not isinstance(measured[place - 1], Remeasured)
                or measured[place - 1].measured.number != number
            )
    assert history.verdicts["undecided"] == summarise(tmp_path / "run").undecided


def test_a_machine_without_quiet_stops_the_search_and_a_quiet_one_goes_on(tmp_path: Path) -> None:
    tries: dict[str, int] = {}

    class Slow(FakeLatency):
        def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
            known = super().measure(genome, limit_ms)
            identity = genome_id(genome)
            tries[identity] = tries.get(identity, 0) + 1
            return untrusted(known.latency_ms) if tries[identity] <= 5 else known

    with Journal.create(tmp_path / "run", make_plan(trainings=3, population=2, tournament=1)) as journal:
        with pytest.raises(UserError, match="that can be trusted, but none of the latest 40 can"):
            run_search(journal, Slow(fails=False), FakeFitness(fails=False), in_process(), lambda event: None)
        assert journal.history().verdicts["undecided"] > 10
        assert not journal.history().individuals
    with Journal.open(tmp_path / "run") as journal:  # the machine is quiet again
        latency, fitness = FakeLatency(fails=False), FakeFitness(fails=False)
        run_search(journal, latency, fitness, in_process(), lambda event: None)
        assert len(journal.history().individuals) == 3


@settings(max_examples=10, deadline=None)
@given(stops=st.lists(st.integers(0, 40), max_size=6))
def test_a_search_that_is_stopped_in_slow_phases_decides_as_an_undisturbed_one(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    whole = tmp_path_factory.mktemp("whole") / "run"
    search(whole, ShakyLatency())
    run = tmp_path_factory.mktemp("stopped") / "run"
    Journal.create(run, make_plan(trainings=40)).close()
    tries = ShakyLatency().tries
    for stop in [*stops, None]:
        steps = 0

        def hook(step: str, genome: Genome, stop: int | None = stop) -> None:
            nonlocal steps
            if steps == stop:
                raise KeyboardInterrupt
            steps += 1

        latency = ShakyLatency(hook)
        latency.tries = tries.copy()
        with Journal.open(run) as journal:
            try:
                run_search(journal, latency, FakeFitness(hook), in_process(), lambda event: None)
            except KeyboardInterrupt:
                assert stop is not None
            tries = _tries_recorded(journal)
    assert decisions(run) == decisions(whole)


def _tries_recorded(journal: Journal) -> Counter[str]:
    """How often each network was measured, short of what no event came of."""
    tries: Counter[str] = Counter()
    for event in journal.events():
        if isinstance(event, Judged) and event.measured:
            tries[event.measured.genome_id] += 1 if shaky_tries(event.measured.genome_id) == 0 else 2
        elif isinstance(event, Remeasured):
            tries[event.measured.genome_id] += 1
    return tries


def test_batches_do_not_show_in_what_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(tmp_path / "whole", ShakyLatency())
    monkeypatch.setattr(judge, "FIRST_BATCH", 1)
    monkeypatch.setattr(judge, "LARGEST_BATCH", 1)
    search(tmp_path / "one-by-one", ShakyLatency())
    assert decisions(tmp_path / "one-by-one") == decisions(tmp_path / "whole")


class Doubtful(FakeLatency):
    """Promises of some networks, by their identity, are not to be trusted; others are over the budget."""

    def __init__(self, doubtful: Sequence[str], over: Sequence[str]) -> None:
        super().__init__(fails=False)
        self._doubtful, self._over = doubtful, over

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        return [self._promised(genome, max_ms) for genome in genomes]

    def _promised(self, genome: Genome, max_ms: float) -> Measurement:
        identity = genome_id(genome)
        self.promised.append(identity)
        if identity in self._over:
            return measurement(1.1 * max_ms)
        if identity in self._doubtful:
            return wide(0.9 * max_ms, 0.99 * max_ms)
        return measurement(true_ms(genome))


@pytest.fixture(scope="module")
def fittest(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    run = tmp_path_factory.mktemp("fittest") / "run"
    search(run, FakeLatency(fails=False))
    with Journal.read(run) as journal:
        individuals = journal.history().individuals.values()
    return [one.genome_id for one in sorted(individuals, key=lambda one: -one.fitness.value)]


def test_who_can_be_promised_wins_before_a_fitter_one_that_cannot(tmp_path: Path, fittest: list[str]) -> None:
    search(tmp_path / "run", Doubtful(doubtful=fittest[:2], over=fittest[2:3]))
    summary = summarise(tmp_path / "run")
    assert summary.winner is not None
    assert summary.winner.genome_id == fittest[3]
    assert (summary.winner.trusted, summary.winner.reason) == (True, "")
    with Journal.read(tmp_path / "run") as journal:
        lines = journal.history().lines
    assert sum("cannot be promised" in line and "only 0 of 30" in line for line in lines) == 2
    assert sum("cannot win" in line and "over 2 ms" in line for line in lines) == 1


def test_who_was_found_over_the_budget_once_more_is_neither_promised_nor_picked_later(
    tmp_path: Path, fittest: list[str]
) -> None:
    run = tmp_path / "run"
    search(run, Doubtful(doubtful=[], over=fittest[:1]))
    with Journal.open(run) as journal:
        journal.append(Amended(trainings=41), journal.elapsed_seconds)
    with Journal.open(run) as journal:
        lucky = Doubtful(doubtful=[], over=[])
        winner = run_search(journal, lucky, FakeFitness(), in_process(), lambda event: None)
    assert winner is not None
    assert fittest[0] not in {winner.individual.genome_id, *lucky.promised}
    assert pick(run, Budget(2.0)).picked.genome_id != fittest[0]


def test_an_untrusted_measurement_of_the_finals_has_a_promised_winner_measured_again(
    tmp_path: Path, fittest: list[str]
) -> None:
    run = tmp_path / "run"
    search(run, Doubtful(doubtful=[], over=[]))
    with Journal.open(run) as journal:
        winner = journal.history().winner
        assert winner is not None
        journal.append(FinalMeasured(winner.individual.number, wide(1.8, 1.98)), journal.elapsed_seconds)
    assert not summarise(run).promised
    with Journal.open(run) as journal:
        quiet = Doubtful(doubtful=[], over=[])
        run_search(journal, quiet, FakeFitness(), in_process(), lambda event: None)
    assert quiet.promised == [winner.individual.genome_id]
    assert summarise(run).promised


def test_predictions_learn_from_trusted_measurements_alone(tmp_path: Path) -> None:
    latency = ShakyLatency()
    search(tmp_path / "run", latency)
    with Journal.read(tmp_path / "run") as journal:
        trusted = {
            one.genome_id
            for one in journal.history().measured
            if one.verdict.measurement and one.verdict.measurement.trusted
        }
        untrusted_ids = {one.genome_id for one in journal.history().measured} - trusted
    assert untrusted_ids
    assert set(latency.learnt) <= trusted


def test_where_none_can_be_promised_the_fittest_is_handed_over_without_and_measured_again_on_resume(
    tmp_path: Path, fittest: list[str]
) -> None:
    run = tmp_path / "run"
    latency = Doubtful(doubtful=fittest, over=[])
    search(run, latency)
    assert len(latency.promised) == 1 + 3  # the fittest alone, then the next three together
    summary = summarise(run)
    assert summary.winner is not None
    assert summary.winner.genome_id == fittest[0]
    assert not summary.winner.trusted
    assert summary.winner.reason == "only 0 of 30 samples were undisturbed"
    with Journal.open(run) as journal:
        quiet = Doubtful(doubtful=[], over=[])
        winner = run_search(journal, quiet, FakeFitness(), in_process(), lambda event: None)
        assert winner is not None
        assert winner.measurement.trusted
        again = Doubtful(doubtful=fittest, over=[])
        assert run_search(journal, again, FakeFitness(), in_process(), lambda event: None) == winner
        assert not again.promised
