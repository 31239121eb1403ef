"""What is counted is what is deployed."""

from __future__ import annotations

import random

import pytest

from tests.search.fakes import CLASSES
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import ChannelTimeLearning, SpatialConv
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.search.budget import Budget, counted_limits, gflops, given_options, weights_mb


@pytest.mark.parametrize("space", ["digits", "mobile"])
def test_megabytes_are_those_of_the_network_with_its_norms_folded(space: str) -> None:
    from tvnsearch.network import build_network
    from tvnsearch.network.deploy import deployed

    for seed in range(8):
        genome = sample_genome(load_space(space), random.Random(seed))
        if trace(genome, CLASSES).params > 2_000_000:
            continue
        network = deployed(build_network(genome, CLASSES))
        bytes_held = sum(weights.numel() * weights.element_size() for weights in network.parameters())
        assert weights_mb(trace(genome, CLASSES), "float32") * 1e6 == pytest.approx(bytes_held, abs=0.01)
        assert weights_mb(trace(genome, CLASSES), "bfloat16") * 2e6 == pytest.approx(bytes_held, abs=0.01)


def test_megabytes_of_channel_time_learning_are_those_of_its_folded_network() -> None:
    from tvnsearch.network import build_network
    from tvnsearch.network.deploy import deployed

    genome = Genome(square_input(9, 4), (Block((SpatialConv(5), ChannelTimeLearning(6))),))
    network = deployed(build_network(genome, CLASSES))
    bytes_held = sum(weights.numel() * weights.element_size() for weights in network.parameters())
    assert weights_mb(trace(genome, CLASSES), "float32") * 1e6 == pytest.approx(bytes_held, abs=0.01)


def test_gflops_count_two_a_multiply_accumulate() -> None:
    traced = trace(load_zoo("tvn-1"))
    assert gflops(traced) == pytest.approx(2 * traced.macs / 1e9)


@pytest.mark.parametrize("maximum", [float("inf"), float("nan"), 0, -1, 10**400])
@pytest.mark.parametrize("limit", ["max_ms", "max_params", "max_gflops", "max_mb", "others"])
def test_a_limit_is_over_0_and_ends(limit: str, maximum: float) -> None:
    given = {"others_max_ms": {"phone": maximum}} if limit == "others" else {limit: maximum}
    with pytest.raises(UserError, match=r"expected a budget (over 0|that ends)"):
        Budget(**{"max_ms": 1.0, **given})  # type: ignore[arg-type]


def test_only_the_limits_that_are_given_are_counted() -> None:
    assert not counted_limits(Budget(1.0))
    assert given_options(Budget(1.0)) == "--max-ms"
    budget = Budget(1.0, max_mb=3.0, max_params=7)
    assert [limit.rejection for limit in counted_limits(budget)] == ["rejected_params", "rejected_mb"]
    assert given_options(budget) == "--max-params or --max-mb or --max-ms"
