from __future__ import annotations

import math

import msgspec
import pytest
import torch
from torch.nn import functional

from tvnsearch.data.loader import Batch
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train

RECIPE = Recipe(iterations=6, batch_size=8, dropout=0.0, precision="float32")


def batch(clips=8):
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.randn(clips, 4, 24, 24, 3, generator=generator), torch.arange(clips) % 8)


def small_memory(network, most_clips, seen):
    """A device that has room for so many clips; the sizes of all batches are noted."""

    def refuse(module, inputs):
        seen.append(len(inputs[0]))
        if len(inputs[0]) > most_clips:
            raise torch.OutOfMemoryError("out of memory")

    network.register_forward_pre_hook(refuse)


def test_a_batch_that_does_not_fit_is_halved_for_good(genome):
    network = build_network(genome, 8)
    seen = []
    small_memory(network, 4, seen)
    fitting = Fitting(network, RECIPE)
    losses = [fitting.step(batch(), share) for share in (0.0, 0.5)]
    assert seen == [8, 4, 4, 4, 4]
    assert (fitting.parts, fitting.losses) == (2, losses)


def test_halves_add_up_to_the_gradients_of_the_whole(genome):
    """With BatchNorm held still, a batch and its halves have the same gradients."""
    gradients = []
    for most_clips in (7, 4):
        torch.manual_seed(0)
        network = build_network(genome, 8)
        small_memory(network, most_clips, [])
        fitting = Fitting(network, RECIPE)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        fitting.step(batch(7), 0.0)
        gradients.append([parameter.grad for parameter in network.parameters()])
    for whole, halves in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, halves, rtol=1e-4, atol=1e-6)


def test_memory_that_does_not_hold_halves_fails_the_training(cache, genome, tmp_path, monkeypatch):
    def build(genome, classes):
        network = build_network(genome, classes)
        small_memory(network, 3, [])
        return network

    monkeypatch.setattr("tvnsearch.training.trainer.build_network", build)
    result = train(genome, cache, RECIPE, tmp_path / "weights")
    assert "does not hold a batch of 4 clips" in result.failed
    assert (result.parts, result.fitness) == (2, 0.0)
    assert not (tmp_path / "weights").exists()


def test_a_loss_that_is_not_finite_changes_nothing(genome):
    fitting = Fitting(build_network(genome, 8), RECIPE)
    before = [parameter.clone() for parameter in fitting.network.parameters()]
    clips, labels, _ = batch()
    fitting.step(Batch(clips * float("inf"), labels), 0.5)
    assert all(torch.equal(old, new) for old, new in zip(before, fitting.network.parameters(), strict=True))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_the_recipes_and_new_in_each_iteration(genome, dropout):
    torch.manual_seed(0)
    network = build_network(genome, 8)
    fitting = Fitting(network, Recipe(dropout=dropout, learning_rate=1e-30, weight_decay=0.0))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    torch.nn.init.normal_(network.head.classifier.weight)
    losses = {fitting.step(batch(), 0.5) for _ in range(3)}
    assert len(losses) == (1 if dropout == 0 else 3)


def in_float16(genome):
    torch.manual_seed(0)
    return Fitting(build_network(genome, 8), msgspec.structs.replace(RECIPE, precision="float16"))


def test_float16_learns_what_float32_learns(genome):
    """The loss is scaled on its way back, and the gradients are what they would be without that."""
    torch.manual_seed(0)
    exact, half = Fitting(build_network(genome, 8), RECIPE), in_float16(genome)
    for share in (0.1, 0.2, 0.3):
        assert half.step(batch(), share) == pytest.approx(exact.step(batch(), share), rel=0.02)
    assert half.scaler.get_scale() == 2.0**16
    assert {parameter.dtype for parameter in half.network.parameters()} == {torch.float32}
    one, two = (
        torch.cat([parameter.grad.flatten() for parameter in fitting.network.parameters()])
        for fitting in (exact, half)
    )
    assert float(functional.cosine_similarity(one, two, dim=0)) > 0.99
    assert float(two.norm()) == pytest.approx(float(one.norm()), rel=0.05)


def test_gradients_that_overflow_change_nothing_but_the_scale(genome):
    fitting = in_float16(genome)
    fitting.step(batch(), 0.1)
    before = [parameter.clone() for parameter in fitting.network.parameters()]
    spoilt = fitting.network.head.classifier.bias.register_hook(lambda gradient: gradient * float("inf"))
    loss = fitting.step(batch(), 0.2)
    spoilt.remove()
    assert math.isfinite(loss)
    assert fitting.scaler.get_scale() == 2.0**15
    assert all(torch.equal(old, new) for old, new in zip(before, fitting.network.parameters(), strict=True))
    fitting.step(batch(), 0.3)
    assert fitting.scaler.get_scale() == 2.0**15
    assert not torch.equal(before[0], next(fitting.network.parameters()))


def test_the_scale_goes_on_from_a_checkpoint(genome, tmp_path):
    fitting = in_float16(genome)
    fitting.step(batch(), 0.1)
    fitting.scaler.update(512.0)
    fitting.step(batch(), 0.2)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(fitting, "this one")
    restored = Fitting(build_network(genome, 8), RECIPE)  # as on a machine that would compute otherwise
    assert checkpoints.read(restored, "this one")
    assert (restored.precision, restored.scaler.get_scale()) == ("float16", 512.0)
    assert restored.scaler.state_dict() == fitting.scaler.state_dict()
    assert restored.step(batch(), 0.3) == fitting.step(batch(), 0.3)
    weights = zip(fitting.network.parameters(), restored.network.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in weights)
