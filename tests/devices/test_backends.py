from __future__ import annotations

import pytest
import torch

from tvnsearch.devices import Device, open_device
from tvnsearch.devices.backends import BACKENDS, DEVICES_OF_BACKENDS, backends_of, load_backend
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import SpatialConv, SqueezeExcite, TemporalPool

GENOME = Genome(
    square_input(16, 2),
    (Block((SpatialConv(8, 3, 2, "relu"), SqueezeExcite(0.5), TemporalPool("max", 2)), 2, "projection"),),
)


def _runs_here(backend: str) -> Device | None:
    name = "cuda" if torch.cuda.is_available() else "cpu"
    return Device(name, backend=backend) if name in DEVICES_OF_BACKENDS[backend] else None


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_stamps_each_layer_call_once(backend):
    device = _runs_here(backend)
    if device is None:
        pytest.skip(f"{backend} needs a GPU, and torch sees none here")
    network = load_backend(backend)(GENOME, 10, device)
    network.run()
    stamps = []
    network.run_stamped(lambda: stamps.append(None))
    assert len(stamps) == len(trace(GENOME, 10).calls)


def test_a_backend_of_another_device_is_one_sentence():
    with pytest.raises(UserError, match="cuda-graph runs on cuda only; say --backend eager"):
        open_device("cpu", backend="cuda-graph")


def test_a_backend_is_there_where_one_of_its_devices_is():
    assert backends_of(["cpu"]) == ["eager"]
    assert backends_of(["cpu", "cuda"]) == backends_of(["cuda"]) == ["eager", "cuda-graph"]
