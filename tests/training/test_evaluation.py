"""Networks are scored as they are deployed, and answer as they were trained."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.loader import evaluation_batches
from tvnsearch.data.views import Views
from tvnsearch.genome import Genome
from tvnsearch.network import TinyVideoNetwork, build_network
from tvnsearch.training.evaluation import EVALUATION_BATCH_SIZE, predict


@pytest.fixture
def network(genome: Genome) -> TinyVideoNetwork:
    """Statistics and scales that a folding mistake would show in; it is in the middle of a training."""
    torch.manual_seed(0)
    made = build_network(genome, 8)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.0)
    torch.nn.init.normal_(made.head.classifier.weight)
    return made.train()


def plain_logits(
    network: TinyVideoNetwork, cache: ClipCache, genome: Genome, views: Views
) -> npt.NDArray[np.float32]:
    """Of the test clips in all of their views, by the module as it was built."""
    batch_size = EVALUATION_BATCH_SIZE // views.count
    batches = evaluation_batches(cache, cache.dataset.test, genome.input, batch_size, views)
    with torch.inference_mode(), closing(batches):
        return torch.cat([network.eval()(batch.clips) for batch in batches]).numpy()


def test_a_network_answers_as_it_was_trained(
    cache: ClipCache, genome: Genome, network: TinyVideoNetwork
) -> None:
    """Also for a last batch that is smaller, and with crops; and it can be trained on as it is."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    logits, _ = predict(network, cache, cache.dataset.test, genome.input)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    expected = plain_logits(network, cache, genome, Views(1, 1))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    many, _ = predict(network, cache, cache.dataset.test, genome.input, views=Views(1, 3))
    each = torch.from_numpy(plain_logits(network, cache, genome, Views(1, 3))).unflatten(0, (-1, 3))
    torch.testing.assert_close(
        torch.from_numpy(many).softmax(1), each.softmax(2).mean(1), rtol=1e-4, atol=1e-5
    )


def test_in_bfloat16_a_network_answers_about_the_same(
    cache: ClipCache, genome: Genome, network: TinyVideoNetwork
) -> None:
    rough, _ = predict(network, cache, cache.dataset.test, genome.input, dtype=torch.bfloat16)
    expected = plain_logits(network, cache, genome, Views(1, 1))
    assert rough.dtype == np.float32
    difference = np.abs(rough - expected).max() / np.abs(expected).max()
    assert 1e-5 < difference < 0.05
    assert {weights.dtype for weights in network.parameters()} == {torch.float32}
