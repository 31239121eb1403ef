"""Every backend computes what plain torch does, in every precision, on every kind of layer."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.devices.every_layer import EVERY_LAYER
from tests.network.figures import with_figures
from tvnsearch.devices import Device, open_device
from tvnsearch.devices import backends as backends_module
from tvnsearch.devices.backends import (
    BACKENDS,
    Backend,
    backends_of,
    known_backends,
    load_backend,
    missing_packages,
)
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import SpatialConv, SqueezeExcite, TemporalPool
from tvnsearch.network import build_network
from tvnsearch.network.deploy import deployed
from tvnsearch.network.synthetic import synthetic_network

GENOME = Genome(
    square_input(16, 2),
    (Block((SpatialConv(8, 3, 2, "relu"), SqueezeExcite(0.5), TemporalPool("max", 2)), 2, "projection"),),
)

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.03}
"""Of the largest logit: float32 rounds in another order, bfloat16 keeps 8 bits."""

QUICK = [name for name in BACKENDS if name != "compile"]


def _device(backend: str, precision: str = "float32", batch: int = 1) -> Device:
    """The device that the backend runs on here."""
    name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in BACKENDS[backend].precisions:
        name = next(iter(BACKENDS[backend].precisions))
    if missing_packages(BACKENDS[backend]):
        pytest.skip(f"{backend} needs {', '.join(missing_packages(BACKENDS[backend]))}")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"{backend} needs a GPU, and torch sees none here")
    return open_device(name, backend=backend, precision=precision, batch=batch)


def _logits(genome: Genome, device: Device) -> tuple[np.ndarray, np.ndarray]:
    """What the backend computes of two clips, and what plain torch does in float32."""
    network = with_figures(build_network(genome, 5))
    clips = torch.rand(device.batch, *network.trace.in_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(clips).numpy()
    try:
        prepared = load_backend(device.backend).prepare(deployed(network), device)
    except UserError as error:
        pytest.skip(str(error))
    prepared.run()
    return prepared.logits(clips.numpy()), expected


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("genome", EVERY_LAYER.values(), ids=EVERY_LAYER)
@pytest.mark.parametrize("backend", QUICK)
def test_a_backend_computes_what_torch_does(backend: str, genome: Genome, precision: str) -> None:
    if not any(precision in computed for computed in BACKENDS[backend].precisions.values()):
        pytest.skip(f"{backend} does not compute with {precision}")
    computed, expected = _logits(genome, _device(backend, precision, batch=2))
    assert computed.shape == expected.shape
    assert np.abs(computed - expected).max() <= TOLERANCE[precision] * np.abs(expected).max()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_int8_is_quantised(backend: str) -> None:
    """Ranges are made up, so that logits agree roughly; and never as far as floats do."""
    device = _device(backend, "int8")
    network = with_figures(build_network(GENOME, 5))
    clips = torch.rand(1, *network.trace.in_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(clips).numpy()
    computed = load_backend(backend).prepare(deployed(network), device).logits(clips.numpy())
    difference = np.abs(computed - expected).max() / np.abs(expected).max()
    assert 1e-4 < difference < 1


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_compiler_computes_what_torch_does(precision: str) -> None:
    computed, expected = _logits(GENOME, _device("compile", precision, batch=2))
    assert np.abs(computed - expected).max() <= TOLERANCE[precision] * np.abs(expected).max()


@pytest.mark.parametrize("backend", QUICK)
def test_a_backend_tells_layer_calls_apart_as_its_grain_says(backend: str) -> None:
    device = _device(backend)
    network: Any = load_backend(backend).prepare(synthetic_network(GENOME, 10), device)
    calls = len(trace(GENOME, 10).calls)
    network.run()
    if BACKENDS[backend].grain == "call":
        stamps: list[None] = []
        network.run_stamped(lambda: stamps.append(None))
        assert len(stamps) == calls
    elif BACKENDS[backend].grain == "node":
        shares, parts = network.division()
        assert len(shares) == len(parts) == calls
        assert sum(shares) == pytest.approx(1)
        assert all(part <= place and parts[part] == part for place, part in enumerate(parts))
        assert all(share == 0 for place, share in enumerate(shares) if parts[place] != place)
        assert sum(share > 0 for share in shares) > calls / 2


def test_a_backend_of_another_device_is_one_sentence() -> None:
    with pytest.raises(UserError, match="cuda-graph runs on cuda only; say --backend eager"):
        open_device("cpu", backend="cuda-graph")


def test_a_precision_that_a_backend_lacks_is_one_sentence() -> None:
    with pytest.raises(UserError, match="eager computes with on cpu, float32 or bfloat16, but int8 came"):
        open_device("cpu", precision="int8")


def test_packages_that_are_missing_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        backends_module.BACKENDS,
        "tensorrt",
        Backend("none", {"cpu": ("float32",)}, "node", ("trt_x",), "trt"),
    )
    with pytest.raises(UserError, match=r"trt_x cannot be found; .*`pip install 'tvnsearch\[trt\]'`"):
        open_device("cpu", backend="tensorrt")
    assert "tensorrt" not in backends_of(["cpu"])


def test_a_backend_is_there_where_one_of_its_devices_is() -> None:
    assert "cuda-graph" not in backends_of(["cpu"])
    assert "eager" in backends_of(["cpu"])
    assert set(backends_of(["cuda"])) == {"eager", "cuda-graph"}


def test_the_runtime_and_its_version_are_in_the_fingerprint() -> None:
    from tvnsearch.devices.fingerprint import fingerprint

    openvino = pytest.importorskip("openvino")
    known = fingerprint(open_device("cpu", backend="openvino"))
    assert known["openvino"] == openvino.get_version()
    assert known["backend"] == "openvino"
    assert "openvino" not in fingerprint(open_device("cpu"))


def test_a_users_own_runtime_joins_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModuleType("own_runtime")
    eager = load_backend("eager")
    own.BACKEND = Backend("own_runtime", {"cpu": ("float32",)}, "call")  # type: ignore[attr-defined]
    own.prepare, own.versions = eager.prepare, lambda: {"own": "7"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_runtime", own)
    entry = EntryPoint("mine", "own_runtime", backends_module.ENTRY_POINTS)
    monkeypatch.setattr(backends_module, "entry_points", lambda group: [entry])
    backends_module._installed_backends.cache_clear()
    try:
        assert "mine" in known_backends()
        assert open_device("cpu", backend="mine").backend == "mine"
        prepared = load_backend("mine").prepare(synthetic_network(GENOME, 3), Device("cpu", backend="mine"))
        assert prepared.logits(np.zeros((1, 2, 16, 16, 3), np.float32)).shape == (1, 3)
    finally:
        monkeypatch.undo()
        backends_module._installed_backends.cache_clear()
