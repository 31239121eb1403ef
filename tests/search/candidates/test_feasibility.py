from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from tests.search.fakes import CLASSES, FakeLatency, make_plan
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.space import IntRange, load_space
from tvnsearch.search import Budget, LatencyEstimate, check_reachable


@pytest.mark.parametrize("space", ["paper", "digits"])
@pytest.mark.parametrize(
    "budget", [Budget(2.0), Budget(50.0, 12_000_000), Budget(50.0, 5_000), Budget(50.0, None, 0.01, 0.02)]
)
def test_a_budget_that_small_networks_keep_is_let_through(space: str, budget: Budget) -> None:
    check_reachable(make_plan(space=load_space(space), budget=budget), FakeLatency())


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        (
            Budget(0.0001),
            r"keeps on cpu, but got --max-ms 0\.0001 and the smallest network found takes 0\.0\d+ ms; raise "
            r"--max-ms above that, or lower (resolution\.min in the space, 32|frames\.min in the space, 4)",
        ),
        (
            Budget(50.0, 10),
            r"got --max-params 10 and the smallest network found takes 80 parameters; raise --max-params "
            r"above that, which the head for 20 classes alone takes",
        ),
        (Budget(50.0, None, 1e-12), r"got --max-gflops 1e-12 and the smallest .* takes 1\.2e-07 GFLOPs"),
        (Budget(50.0, None, None, 1e-6), r"got --max-mb 1e-06 and the smallest .* takes 0\.00032 MB"),
        (
            Budget(50.0, None, None, 1e-6, "bfloat16"),
            r"got --max-mb 1e-06 and the smallest .* takes 0\.00016 MB",
        ),
        (Budget(0.0001, 10), r"got --max-params 10 and the smallest network found takes 80 parameters"),
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


def test_the_range_of_the_space_that_binds_is_named() -> None:
    wide = replace(
        load_space("digits"),
        layer_types=("spatial_conv",),
        blocks=IntRange(1, 2),
        filters=IntRange(512, 1024, 8),
    )
    plan = make_plan(space=wide, budget=Budget(50.0, 10_000))
    with pytest.raises(
        UserError, match=r"takes 12,820 parameters; .* or lower filters\.min in the space, 512"
    ):
        check_reachable(plan, FakeLatency())
    deep = replace(wide, blocks=IntRange(2, 3))
    with pytest.raises(UserError, match=r"or lower blocks\.min in the space, 2 now, which binds"):
        check_reachable(replace(plan, space=deep), FakeLatency())


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
    with pytest.raises(
        UserError, match="none that was found keeps --max-params 10,000 and --max-ms 50 at once"
    ):
        check_reachable(make_plan(budget=Budget(50.0, 10_000)), FatIsFast())


def test_the_answer_takes_few_predictions() -> None:
    """At ten thousand a second, which any predictor of layers makes, that is within a second."""
    latency = FatIsFast()
    with pytest.raises(UserError):
        check_reachable(make_plan(space=load_space("paper"), budget=Budget(50.0, 10_000)), latency)
    assert latency.predicted < 5_000


def test_a_space_that_names_the_softmax_first_is_let_through() -> None:
    space = replace(
        load_space("mobile"),
        resolution=IntRange(96, 128, 32),
        non_local_forms=("embedded_gaussian", "dot_product"),
    )
    check_reachable(make_plan(space=space, budget=Budget(1e9)), FakeLatency())
