from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import pytest
import torch

from tvnsearch.network.build import build_network
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import _learning_rate_factor, _optimizer, evaluate, train
from tvnsearch.training.weights import load_weights

SHORT = Recipe(iterations=8, batch_size=8)


def without_seconds(result):
    return msgspec.structs.replace(result, seconds=0.0)


def test_a_short_training_beats_chance_clearly(cache, genome, tmp_path):
    weights = tmp_path / "weights.safetensors"
    result = train(genome, cache, Recipe(iterations=200, batch_size=16), weights)
    assert result.failed is None
    assert result.top1 > 3 * cache.dataset.chance
    assert result.fitness == result.top1 + result.top5
    network = build_network(genome, 8)
    load_weights(network, weights)
    scores = evaluate(network, cache, cache.dataset.validation, genome.input)
    assert (scores.top1, scores.top5) == (result.top1, result.top5)
    assert evaluate(network, cache, cache.dataset.test, genome.input).top1 > 3 * cache.dataset.chance


def test_same_seed_same_result(cache, genome, tmp_path):
    paths = [tmp_path / name for name in ("one", "same", "other")]
    recipes = [SHORT, SHORT, msgspec.structs.replace(SHORT, seed=1)]
    one, same, other = (train(genome, cache, r, path) for r, path in zip(recipes, paths, strict=True))
    assert without_seconds(one) == without_seconds(same)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes() != paths[2].read_bytes()
    assert one.loss != other.loss


def test_a_training_leaves_the_callers_random_numbers_alone(cache, genome, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(genome, cache, SHORT, tmp_path / "weights")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_diverging_training_fails_with_its_reason(cache, genome, tmp_path, optimizer):
    recipe = Recipe(iterations=30, batch_size=8, learning_rate=1e30, warmup_share=0.0, optimizer=optimizer)
    result = train(genome, cache, recipe, tmp_path / "weights")
    assert "the loss became" in result.failed
    assert result.fitness == 0.0
    assert result.iterations < 30
    assert not (tmp_path / "weights").exists()
    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_time_ends_a_training_and_anneals_it(cache, genome, tmp_path):
    seen = []
    recipe = Recipe(iterations=1_000_000, batch_size=8, max_seconds=1.0)
    result = train(genome, cache, recipe, tmp_path / "weights", on_progress=seen.append)
    assert 1 <= result.iterations == len(seen) < 1_000_000
    assert [state.iteration for state in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].share <= 1.0
    assert all(a.share <= b.share for a, b in pairwise(seen))


def test_training_goes_on_from_weights(cache, genome, tmp_path):
    first = train(genome, cache, Recipe(iterations=120, batch_size=16), tmp_path / "first")
    gentle = Recipe(iterations=2, batch_size=16, learning_rate=1e-6)
    second = train(genome, cache, gentle, tmp_path / "second", initial_weights=tmp_path / "first")
    assert second.loss < 0.9 * math.log(8)
    assert second.fitness > 0.7 * first.fitness


def test_multi_label_data_are_scored_by_mean_average_precision(multi_label_cache, genome, tmp_path):
    result = train(genome, multi_label_cache, SHORT, tmp_path / "weights")
    assert result.failed is None
    assert result.top1 is None
    assert 0 < result.mean_average_precision == result.fitness <= 1


def test_learning_rate_rises_and_falls_to_zero():
    factors = [_learning_rate_factor(step / 100, 0.1) for step in range(101)]
    assert max(factors) == factors[10] == 1.0
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[0] > 0
    assert factors[-1] == pytest.approx(0, abs=1e-9)
    assert _learning_rate_factor(0.0, 0.0) == 1.0


def test_no_weight_decay_on_norms_and_biases(genome):
    network = build_network(genome, 8)
    decayed, free = _optimizer(network, Recipe(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))
    bare = {id(p) for name, p in network.named_parameters() if name.endswith("bias") or "norm" in name}
    assert {id(p) for p in free["params"]} == bare


@pytest.mark.parametrize(
    "wrong",
    [{"iterations": 0}, {"batch_size": 1}, {"learning_rate": -1.0}, {"optimizer": "lion"}, {"epochs": 3}],
)
def test_a_recipe_refuses_what_makes_no_sense(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Recipe)
