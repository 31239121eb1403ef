from __future__ import annotations

import json
import math
import re

import msgspec
import pytest
from safetensors.torch import load_file

from tests.training.killing import KilledError, until
from tests.training.results import without_times
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train

RECIPE = Recipe(iterations=12, batch_size=8)


class Spoiling:
    """Has the loss of some steps be not finite, and notes of each which iteration it was, and its clips."""

    def __init__(self) -> None:
        self.at = frozenset()
        self.orders = []

    @property
    def steps(self):
        return len(self.orders)

    def spoils(self, fitting, batch):
        self.orders.append((fitting.iterations + 1, batch.clips.sum().item()))
        return self.steps in self.at


@pytest.fixture
def losses(monkeypatch):
    spoiling, plain = Spoiling(), Fitting.step

    def step(self, batch, share):
        if spoiling.spoils(self, batch):
            self.losses.append(math.nan)
            return math.nan
        return plain(self, batch, share)

    monkeypatch.setattr(Fitting, "step", step)
    return spoiling


def test_a_training_goes_back_to_its_checkpoint_and_on_with_other_batches(cache, genome, tmp_path, losses):
    path, folder = tmp_path / "metrics.jsonl", tmp_path / "checkpoints"
    half = train(genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder), until_share=0.5)
    assert half.iterations == losses.steps == 6
    losses.at = {9}
    result = train(genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder, 1e9), metrics=path)
    assert result.failed is None
    assert result.iterations == 12
    assert result.fitness > 0
    assert result.set_back == (
        "the loss became nan in iteration 9: the training went back to its checkpoint of iteration 6 and on "
        "from there with its clips in another order"
    )
    assert [number for number, _ in losses.orders] == [*range(1, 10), *range(7, 13)]
    before, after = dict(losses.orders[6:9]), dict(losses.orders[9:12])
    assert not set(before.values()) & set(after.values())
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [*range(7, 13), 12]


def test_without_a_checkpoint_it_goes_back_to_its_start(cache, genome, tmp_path, losses):
    losses.at = {4}
    result = train(genome, cache, RECIPE, tmp_path / "w")
    assert (result.failed, result.iterations) == (None, 12)
    assert "iteration 4: the training went back to its start and on" in result.set_back
    assert [number for number, _ in losses.orders] == [*range(1, 5), *range(1, 13)]
    again = train(genome, cache, RECIPE, tmp_path / "again")
    assert again.set_back is None
    assert (tmp_path / "again").read_bytes() != (tmp_path / "w").read_bytes()


def test_the_second_time_it_fails(cache, genome, tmp_path, losses):
    losses.at = {4, 10}
    result = train(genome, cache, RECIPE, tmp_path / "w")
    assert result.failed == "the loss became nan in iteration 6, for the second time"
    assert (result.fitness, result.iterations) == (0.0, 6)
    assert "in iteration 4" in result.set_back
    assert not (tmp_path / "w").exists()
    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_a_training_that_has_gone_back_is_gone_on_with_to_the_same_bits(cache, genome, tmp_path, losses):
    """After a kill it neither forgets that it went back, nor in which order its clips come now."""
    folder = tmp_path / "checkpoints"
    losses.at = {5}
    whole = train(genome, cache, RECIPE, tmp_path / "whole")
    losses.orders.clear()
    with pytest.raises(KilledError):
        train(
            genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder, 1e9), on_progress=until(8)
        )
    losses.at = set()
    result = train(genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder))
    assert without_times(result) == without_times(whole)
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()
    losses.at = {2}
    losses.orders.clear()
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(KilledError):
        train(
            genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(3)
        )
    losses.at = {losses.steps + 2}
    failed = train(genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder)).failed
    assert failed == "the loss became nan in iteration 5, for the second time"


def test_real_weights_that_are_spoilt_are_those_from_before(cache, genome, tmp_path, monkeypatch):
    """What a loss that is not finite leaves in a network's statistics is gone as well."""
    spoilt = []

    def build(genome, classes):
        network = build_network(genome, classes)

        def spoil(module, inputs):
            if module.training and len(spoilt) < 5:
                spoilt.append(module)
                if len(spoilt) == 5:
                    return (inputs[0] * math.inf,)
            return None

        network.register_forward_pre_hook(spoil)
        return network

    monkeypatch.setattr("tvnsearch.training.trainer.build_network", build)
    result = train(genome, cache, RECIPE, tmp_path / "w")
    assert result.failed is None
    assert re.match(r"the loss became nan in iteration 5: .* its start", result.set_back)
    loaded = load_file(tmp_path / "w")
    assert loaded.keys() == build_network(genome, 8).state_dict().keys()
    assert all(value.isfinite().all() for value in loaded.values())
