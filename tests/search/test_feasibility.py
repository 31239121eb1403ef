from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.search.fakes import CLASSES, FakeLatency, make_plan
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.space import load_space
from tvnsearch.search import Budget, LatencyEstimate, check_reachable


@pytest.mark.parametrize("space", ["paper", "digits"])
@pytest.mark.parametrize("budget", [Budget(2.0), Budget(50.0, 12_000_000), Budget(50.0, 5_000)])
def test_a_budget_that_small_networks_keep_is_let_through(space: str, budget: Budget) -> None:
    check_reachable(make_plan(space=load_space(space), budget=budget), FakeLatency())


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        (
            Budget(0.01),
            r"keeps on cpu, but got 0\.01 ms and the fastest network found .* at least 0\.0\d+ ms",
        ),
        (Budget(50.0, 10), r"but got 10 and the smallest network found has \d+ parameters for 20 classes"),
        (Budget(0.01, 10), r"got 0\.01 ms and the fastest network found"),
    ],
)
@pytest.mark.parametrize("space", ["paper", "digits"])
def test_an_impossible_budget_is_refused_with_the_smallest_that_was_found(
    space: str, budget: Budget, sentence: str
) -> None:
    plan = make_plan(space=load_space(space), budget=budget)
    with pytest.raises(UserError, match=sentence) as caught:
        check_reachable(plan, FakeLatency())
    assert "raise --max-" in str(caught.value)


class FatIsFast(FakeLatency):
    """A device on which a network is the slower the fewer parameters it has."""

    def __init__(self) -> None:
        super().__init__()
        self.predicted = 0

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        self.predicted += len(genomes)
        latencies_ms = [1e6 / trace(genome, CLASSES).params for genome in genomes]
        return [LatencyEstimate(latency_ms, latency_ms, latency_ms) for latency_ms in latencies_ms]


def test_limits_that_exclude_one_another_are_named_together() -> None:
    check_reachable(make_plan(budget=Budget(50.0)), FatIsFast())
    check_reachable(make_plan(budget=Budget(1e6, 10_000)), FatIsFast())
    with pytest.raises(UserError, match="no network found keeps both 50 ms and 10,000 parameters"):
        check_reachable(make_plan(budget=Budget(50.0, 10_000)), FatIsFast())


def test_the_answer_takes_few_predictions() -> None:
    """At ten thousand a second, which any predictor of layers makes, that is within a second."""
    latency = FatIsFast()
    with pytest.raises(UserError):
        check_reachable(make_plan(space=load_space("paper"), budget=Budget(50.0, 10_000)), latency)
    assert latency.predicted < 5_000
