from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from tests.training.results import NO_TIME
from tvnsearch.errors import UserError
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import source_of
from tvnsearch.training.trainer import train
from tvnsearch.workers import Worker


@pytest.fixture(scope="module")
def worker():
    with Worker("tvnsearch.training.task", threads=1) as running:
        yield running


def params(cache, genome, **more):
    return msgspec.to_builtins({"genome": genome, "data": source_of(cache), **more})


def test_a_worker_trains_as_this_process_does(worker, cache, genome, tmp_path):
    recipe = Recipe(iterations=12, batch_size=8)
    seen = []
    weights = tmp_path / "there"
    answer = worker.call("train", params(cache, genome, recipe=recipe, weights=str(weights)), seen.append)
    here = train(genome, cache, recipe, tmp_path / "here")
    assert answer | NO_TIME == msgspec.to_builtins(here) | NO_TIME
    assert weights.read_bytes() == (tmp_path / "here").read_bytes()
    assert set(seen[0]) == {"share", "iteration", "loss"}
    scores = worker.call("evaluate", params(cache, genome, weights=str(weights), split="validation"))
    assert scores["top1"] == here.top1
    assert scores["clips"] == len(cache.dataset.validation)


def test_a_users_mistake_comes_back_as_such(worker, cache, genome, tmp_path):
    missing = params(cache, genome, weights=str(tmp_path / "none"), split="test")
    with pytest.raises(UserError, match="expected weights"):
        worker.call("evaluate", missing)


def test_a_child_begins_with_its_parents_weights_or_afresh_where_they_are_gone(
    worker, cache, genome, tmp_path
):
    parent = tmp_path / "parent"
    worker.call("train", params(cache, genome, recipe=Recipe(120, 16), weights=str(parent)))
    gentle = Recipe(iterations=2, batch_size=16, learning_rate=1e-6)
    results = {
        name: worker.call(
            "train",
            params(
                cache,
                genome,
                recipe=gentle,
                weights=str(tmp_path / name),
                parent=msgspec.to_builtins({"genome": genome, "weights": str(weights)}),
            ),
        )
        for name, weights in {"heir": parent, "fresh": tmp_path / "gone"}.items()
    }
    here = train(genome, cache, gentle, tmp_path / "here")
    assert results["heir"]["inherited_share"] == 1.0
    assert results["heir"]["loss"] < 0.9 * here.loss
    assert results["fresh"]["inherited_share"] is None
    assert results["fresh"]["loss"] == here.loss


def test_a_paused_child_goes_on_to_the_same_bits_whatever_became_of_its_parent(
    worker, cache, genome, tmp_path
):
    recipe, parent = Recipe(iterations=10, batch_size=8), tmp_path / "parent"
    train(genome, cache, Recipe(iterations=3, batch_size=8), parent)

    def trained(name: str, until_share: float) -> dict:
        origin = msgspec.to_builtins({"genome": genome, "weights": str(parent)})
        more = {"checkpoints": str(tmp_path / f"{name}-checkpoints"), "until_share": until_share}
        request = params(cache, genome, recipe=recipe, weights=str(tmp_path / name), parent=origin, **more)
        return worker.call("train", request)

    whole = trained("whole", 1.0)
    paused = trained("paused", 0.6)
    train(genome, cache, Recipe(iterations=5, batch_size=8, seed=1), parent)  # the parent is promoted
    promoted = trained("paused", 1.0)
    assert paused["iterations"] == 6
    assert promoted | NO_TIME == whole | NO_TIME
    assert (tmp_path / "paused").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("lost", ["inherited.safetensors", "checkpoint.json"])
def test_a_paused_child_of_a_search_whose_files_are_damaged_begins_afresh(
    worker, cache, genome, tmp_path, lost
):
    """With its parent's weights as they are now; nothing but what was trained so far is lost."""
    recipe, parent = Recipe(iterations=10, batch_size=8), tmp_path / "parent"
    train(genome, cache, Recipe(iterations=3, batch_size=8), parent)

    def trained(name: str, until_share: float) -> dict:
        origin = msgspec.to_builtins({"genome": genome, "weights": str(parent)})
        more = {"checkpoints": str(tmp_path / f"{name}-checkpoints"), "until_share": until_share}
        more |= {"parent": origin, "replace_others": True}
        return worker.call(
            "train", params(cache, genome, recipe=recipe, weights=str(tmp_path / name), **more)
        )

    trained("paused", 0.6)
    train(genome, cache, Recipe(iterations=5, batch_size=8, seed=1), parent)  # the parent is promoted
    damaged = tmp_path / "paused-checkpoints" / lost
    damaged.write_bytes(damaged.read_bytes()[:100])
    result = trained("paused", 1.0)
    assert "the training begins afresh" in result["begun_afresh"]
    assert result["inherited_share"] == 1.0
    if lost == "inherited.safetensors":
        assert result | NO_TIME | {"begun_afresh": None} == trained("whole", 1.0) | NO_TIME
        assert (tmp_path / "paused").read_bytes() == (tmp_path / "whole").read_bytes()


def test_time_for_which_the_worker_is_stopped_is_no_time_of_the_training(worker, cache, genome, tmp_path):
    recipe = Recipe(iterations=1_000_000, batch_size=8, max_seconds=1.5)
    request = params(cache, genome, recipe=recipe, weights=str(tmp_path / "weights"))
    worker.call("train", request | {"recipe": msgspec.to_builtins(Recipe(1, 8))})  # all is loaded
    seen = []
    with ThreadPoolExecutor(1) as threads:
        began = time.monotonic()
        training = threads.submit(worker.call, "train", request, seen.append)
        while not seen:
            time.sleep(0.01)
        worker.pause()
        time.sleep(2.0)
        worker.resume()
        result = training.result()
        wall_seconds = time.monotonic() - began
    assert result["stood_still_seconds"] == pytest.approx(2.0, abs=0.2)
    assert 1.4 < result["fitting_seconds"] < 2.0
    assert result["seconds"] == pytest.approx(wall_seconds - result["stood_still_seconds"], abs=0.3)
