from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import CLASSES, FakeLatency, true_ms
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Budget, BudgetGate, LatencyEstimate
from tvnsearch.search.budget import gflops, weights_mb

SPACE = load_space("digits")


class CountingLatency(FakeLatency):
    def __init__(self, fails: bool = False) -> None:
        super().__init__(fails=fails)
        self.calls: list[int] = []

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        self.calls.append(len(genomes))
        return super().estimate(genomes)


@given(
    st.integers(0, 10**6),
    st.floats(0.05, 20.0),
    st.none() | st.integers(1_000, 300_000),
    st.none() | st.floats(0.001, 0.1),
    st.none() | st.floats(0.004, 1.0),
)
def test_verdicts_follow_from_what_is_known_and_what_is_cheapest_is_asked_first(
    seed: int, max_ms: float, max_params: int | None, max_gflops: float | None, max_mb: float | None
) -> None:
    genome = sample_genome(SPACE, random.Random(seed))
    latency = CountingLatency()
    budget = Budget(max_ms, max_params, max_gflops, max_mb)
    verdict = BudgetGate(budget, CLASSES, latency).judge(genome)
    [estimate] = FakeLatency().estimate([genome])
    traced = trace(genome, CLASSES)
    assert (verdict.params, verdict.macs) == (traced.params, traced.macs)
    if max_params is not None and traced.params > max_params:
        assert (verdict.kind, verdict.estimate, latency.calls) == ("rejected_params", None, [0])
    elif max_gflops is not None and gflops(traced) > max_gflops:
        assert (verdict.kind, verdict.estimate, latency.calls) == ("rejected_gflops", None, [0])
    elif max_mb is not None and weights_mb(traced, "float32") > max_mb:
        assert (verdict.kind, verdict.estimate, latency.calls) == ("rejected_mb", None, [0])
    elif estimate.lower_ms > max_ms:
        assert (verdict.kind, verdict.estimate, latency.measured) == ("rejected_predicted", estimate, [])
    else:
        assert latency.measured == [genome_id(genome)]
        assert verdict.measurement is not None
        over = verdict.measurement.ci_high_ms > max_ms
        assert verdict.kind == ("rejected_measured" if over else "accepted")


def test_a_network_whose_interval_reaches_over_the_budget_is_rejected() -> None:
    genome = sample_genome(SPACE, random.Random(1))
    gate = BudgetGate(Budget(true_ms(genome) * 1.01), CLASSES, FakeLatency(fails=False))
    assert gate.judge(genome).kind == "rejected_measured"
    gate = BudgetGate(Budget(true_ms(genome) * 1.02), CLASSES, FakeLatency(fails=False))
    assert gate.judge(genome).kind == "accepted"


def test_many_genomes_are_predicted_in_one_call_and_only_those_small_enough() -> None:
    genomes = [sample_genome(SPACE, random.Random(seed)) for seed in range(100)]
    latency = CountingLatency()
    screenings = BudgetGate(Budget(5.0, 50_000), CLASSES, latency).screen(genomes)
    small = [trace(genome, CLASSES).params <= 50_000 for genome in genomes]
    assert latency.calls == [sum(small)]
    predicted = [screening.rejection != "rejected_params" for screening in screenings]
    assert predicted == small
    rejecting = [screening.rejection == "rejected_predicted" for screening in screenings]
    assert [screening.estimate is not None for screening in screenings] == rejecting
    assert any(rejecting)
    assert [screening.params for screening in screenings] == [
        trace(genome, CLASSES).params for genome in genomes
    ]


def test_a_network_that_cannot_be_run_is_rejected_with_the_reason() -> None:
    gate = BudgetGate(Budget(1e6), CLASSES, FakeLatency(fails=True))
    genomes = [sample_genome(SPACE, random.Random(seed)) for seed in range(100)]
    verdicts = [gate.judge(genome) for genome in genomes if genome_id(genome).endswith("f")]
    assert verdicts
    assert all(verdict.kind == "rejected_measured" for verdict in verdicts)
    assert all(verdict.reason == "out of memory" and verdict.measurement is None for verdict in verdicts)


@given(st.integers(0, 10**6), st.floats(0.05, 20.0), st.floats(0.5, 60.0), st.floats(0.5, 60.0))
def test_another_device_is_predicted_after_this_one_and_its_whole_interval_has_to_keep_the_budget(
    seed: int, max_ms: float, slow_ms: float, slower_ms: float
) -> None:
    genome = sample_genome(SPACE, random.Random(seed))
    budget = Budget(max_ms, others_max_ms={"slow": slow_ms, "slower": slower_ms})
    latency = FakeLatency(fails=False)
    verdict = BudgetGate(budget, CLASSES, latency).judge(genome)
    slow, slower = (1.25 * (letters * true_ms(genome)) for letters in (4, 6))
    if verdict.kind == "rejected_predicted":
        assert verdict.on_others == {}
    elif slow > slow_ms:
        assert (verdict.kind, list(verdict.on_others), latency.measured) == (
            "rejected_on_others",
            ["slow"],
            [],
        )
    elif slower > slower_ms:
        assert (verdict.kind, latency.measured) == ("rejected_on_others", [])
    else:
        assert verdict.kind in ("accepted", "rejected_measured")
        assert {name: estimate.upper_ms for name, estimate in verdict.on_others.items()} == {
            "slow": slow,
            "slower": slower,
        }
        assert latency.measured
