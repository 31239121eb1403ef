"""What the tests of the API share: a device that was profiled, and one network that was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.predictors.synthetic_device import profiled_here
from tvnsearch.api.trained_model import ModelCard, write_model
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.network.build import build_network
from tvnsearch.training.weights import save_weights

CLASSES = ("left", "right", "up")


@pytest.fixture(scope="session")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of this device whose predictor learnt from made-up latencies, none of a 3-D layer."""
    return profiled_here(tmp_path_factory.mktemp("profiled") / "latency.sqlite")


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with random weights that looks at 8 of 15 frames."""
    folder = tmp_path_factory.mktemp("net")
    torch.manual_seed(0)
    genome = Genome(square_input(16, 8, 2), (Block((SpatialConv(kernel=3, stride=2, filters=8),)),))
    save_weights(build_network(genome, len(CLASSES)), folder / "weights.safetensors")
    write_model(folder, genome, ModelCard(CLASSES, multi_label=False))
    return folder
