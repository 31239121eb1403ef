from __future__ import annotations

import pytest
import torch

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv


@pytest.fixture(autouse=True)
def one_thread():
    """Sums are in the same order on every run only on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Two digits in four motions, decoded."""
    root = tmp_path_factory.mktemp("training")
    dataset = open_dataset(generate(root / "digits", ClipsPerClass(16, 4, 4), digits=[0, 1]))
    prepared = ClipCache(dataset, 32, root / "cache")
    prepared.prepare()
    return prepared


@pytest.fixture(scope="session")
def multi_label_cache(tmp_path_factory):
    root = tmp_path_factory.mktemp("multi")
    dataset = open_dataset(generate(root / "digits", ClipsPerClass(6, 3, 2), digits=[0], multi_label=True))
    prepared = ClipCache(dataset, 16, root / "cache")
    prepared.prepare()
    return prepared


@pytest.fixture
def genome():
    def block(filters):
        return Block((SpatialConv(filters, 3, 2, "relu"), TemporalConv(filters, 3, 1, "relu")))

    return Genome(square_input(24, 4, 3), (block(16), block(32), block(64)))
