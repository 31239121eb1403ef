from __future__ import annotations

import json

import pytest

from tests.training.killing import KilledError, until
from tests.training.results import without_times
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.evaluation import evaluate
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train
from tvnsearch.training.validation import Validation
from tvnsearch.training.weights import load_weights

RECIPE = Recipe(iterations=40, batch_size=16, warmup_share=0.0)
SPOILT = Recipe(iterations=24, batch_size=16, learning_rate=3.0, optimizer="sgd", max_gradient_norm=1e3)
"""So hot that the weights of the end are not the best."""


def scored(path):
    """Fitness by iteration."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["iteration"]: line["validation_fitness"] for line in lines if "loss" not in line}


def test_scoring_on_the_way_changes_no_bit(cache, genome, tmp_path):
    """Neither the statistics of BatchNorm nor dropout hear of it."""
    train(genome, cache, RECIPE, tmp_path / "plain")
    train(genome, cache, RECIPE, tmp_path / "scored", validation=Validation(every=7))
    assert (tmp_path / "scored").read_bytes() == (tmp_path / "plain").read_bytes()


def test_what_is_said_on_the_way_is_what_such_a_network_scores(cache, genome, tmp_path):
    path = tmp_path / "metrics.jsonl"
    train(genome, cache, RECIPE, tmp_path / "w", validation=Validation(every=15), metrics=path)
    half = train(
        genome, cache, RECIPE, tmp_path / "half", checkpoints=Checkpoints(tmp_path / "c"), until_share=30 / 40
    )
    assert list(scored(path)) == [15, 30, 40]
    assert scored(path)[30] == half.fitness


@pytest.mark.parametrize("average_decay", [None, 0.5])
def test_the_best_weights_are_kept(cache, genome, tmp_path, average_decay):
    path, recipe = (
        tmp_path / "metrics.jsonl",
        Recipe(iterations=40, batch_size=16, average_decay=average_decay),
    )
    result = train(
        genome, cache, recipe, tmp_path / "w", validation=Validation(4, keep_best=True), metrics=path
    )
    fitness = scored(path)
    best = max(fitness.values())
    assert result.fitness == best == result.top1 + result.top5
    assert result.best_iteration == max(number for number, value in fitness.items() if value == best)
    network = build_network(genome, 8)
    load_weights(network, tmp_path / "w")
    scores = evaluate(network, cache, cache.dataset.validation, genome.input)
    assert (scores.top1, scores.top5) == (result.top1, result.top5)


def test_weights_that_were_best_outlive_a_kill_and_worse_ones_that_follow(cache, genome, tmp_path):
    """A training that is spoilt by its rate hands over what it was before."""
    path, folder = tmp_path / "metrics.jsonl", tmp_path / "checkpoints"
    validation = Validation(2, keep_best=True)
    whole = train(genome, cache, SPOILT, tmp_path / "whole", validation=validation, metrics=path)
    last = train(genome, cache, SPOILT, tmp_path / "last")
    assert whole.best_iteration < 24
    assert whole.fitness > last.fitness
    killed_after = whole.best_iteration + 1
    with pytest.raises(KilledError):
        train(
            genome,
            cache,
            SPOILT,
            tmp_path / "w",
            validation=validation,
            checkpoints=Checkpoints(folder, 0.0),
            on_progress=until(killed_after),
        )
    result = train(
        genome, cache, SPOILT, tmp_path / "w", validation=validation, checkpoints=Checkpoints(folder, 0.0)
    )
    assert without_times(result) == without_times(whole)
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def test_the_last_weights_are_kept_unless_the_best_are_asked_for(cache, genome, tmp_path):
    result = train(genome, cache, RECIPE, tmp_path / "w", validation=Validation(every=8))
    plain = train(genome, cache, RECIPE, tmp_path / "plain")
    assert (result.best_iteration, result.split) == (None, "validation")
    assert without_times(result) == without_times(plain)


def test_a_last_training_learns_from_validation_too_and_is_scored_on_test(cache, genome, tmp_path):
    path = tmp_path / "metrics.jsonl"
    result = train(genome, cache, RECIPE, tmp_path / "w", with_validation=True, metrics=path)
    network = build_network(genome, 8)
    load_weights(network, tmp_path / "w")
    scores = evaluate(network, cache, cache.dataset.test, genome.input)
    assert (result.split, result.top1, result.top5) == ("test", scores.top1, scores.top5)
    first, *_, end = [json.loads(line) for line in path.read_text().splitlines()]
    learnt = len(cache.dataset.train) + len(cache.dataset.validation)
    assert first["epoch"] == 16 / learnt
    assert end["test_fitness"] == result.fitness


def test_a_last_training_sees_clips_that_others_do_not(cache, genome, tmp_path, monkeypatch):
    seen = set()
    frames = cache.frames

    def note(clip):
        seen.add(clip)
        return frames(clip)

    monkeypatch.setattr(cache, "frames", note)
    recipe = Recipe(iterations=20, batch_size=16)
    train(genome, cache, recipe, tmp_path / "w", with_validation=True)
    assert seen == set(cache.dataset.clips)
    seen.clear()
    train(genome, cache, recipe, tmp_path / "w")
    assert seen == {*cache.dataset.train, *cache.dataset.validation}
