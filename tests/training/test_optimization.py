from __future__ import annotations

import pytest

from tvnsearch.network.build import build_network
from tvnsearch.training.optimization import learning_rate_factor, make_optimizer
from tvnsearch.training.recipe import Recipe


def test_learning_rate_rises_and_falls_to_zero():
    factors = [learning_rate_factor(step / 100, 0.1) for step in range(101)]
    assert max(factors) == factors[10] == 1.0
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[0] > 0
    assert factors[-1] == pytest.approx(0, abs=1e-9)
    assert learning_rate_factor(0.0, 0.0) == 1.0


def test_no_weight_decay_on_norms_and_biases(genome):
    network = build_network(genome, 8)
    decayed, free = make_optimizer(network, Recipe(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))
    bare = {id(p) for name, p in network.named_parameters() if name.endswith("bias") or "norm" in name}
    assert {id(p) for p in free["params"]} == bare


def test_the_recipes_figures_reach_the_optimizer(genome):
    network = build_network(genome, 8)
    sgd = make_optimizer(network, Recipe(optimizer="sgd", momentum=0.8)).param_groups[0]
    assert (sgd["momentum"], sgd["nesterov"]) == (0.8, True)
    assert make_optimizer(network, Recipe(momentum=0.8, second_beta=0.95)).param_groups[0]["betas"] == (
        0.8,
        0.95,
    )
