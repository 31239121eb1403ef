from __future__ import annotations

import math
import time
from itertools import pairwise

import msgspec
import pytest
import torch

from tests.training.results import without_times
from tvnsearch.network.build import build_network
from tvnsearch.training import evaluation, scoring
from tvnsearch.training.evaluation import evaluate
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train
from tvnsearch.training.weights import load_weights

SHORT = Recipe(iterations=8, batch_size=8)


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
    assert without_times(one) == without_times(same)
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
    assert "the training went back to its start" in result.set_back
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


def test_scoring_does_not_count_as_fitting(cache, genome, tmp_path, monkeypatch):
    def slow(*arguments):
        time.sleep(0.5)
        return evaluation.predict(*arguments)

    monkeypatch.setattr(scoring, "predict", slow)
    result = train(genome, cache, SHORT, tmp_path / "weights")
    assert 0 < result.fitting_seconds <= result.seconds - 0.5


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


def test_what_is_kept_of_an_averaged_training_is_the_average(cache, genome, tmp_path):
    """A decay of almost one keeps the average where the first step left it."""
    recipe = Recipe(iterations=6, batch_size=8, average_decay=1 - 1e-9)
    train(genome, cache, recipe, tmp_path / "averaged")
    first = msgspec.structs.replace(recipe, average_decay=None, iterations=1)
    train(genome, cache, first, tmp_path / "first")
    averaged, after_one = build_network(genome, 8), build_network(genome, 8)
    load_weights(averaged, tmp_path / "averaged")
    load_weights(after_one, tmp_path / "first")
    for kept, expected in zip(averaged.parameters(), after_one.parameters(), strict=True):
        torch.testing.assert_close(kept, expected)


def test_training_in_bfloat16_keeps_float32_weights(cache, genome, tmp_path):
    recipe = msgspec.structs.replace(SHORT, precision="bfloat16")
    result = train(genome, cache, recipe, tmp_path / "bfloat16")
    plain = msgspec.structs.replace(SHORT, precision="float32")
    exact = train(genome, cache, plain, tmp_path / "float32")
    assert (result.precision, exact.precision) == ("bfloat16", "float32")
    assert result.loss == pytest.approx(exact.loss, rel=0.05)
    assert result.loss != exact.loss
    network = build_network(genome, 8)
    load_weights(network, tmp_path / "bfloat16")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
