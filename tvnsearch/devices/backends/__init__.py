"""The runtimes that execute a network on a device: one record each, and one module."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast

from tvnsearch.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tvnsearch.devices.backends.parts import Division
    from tvnsearch.devices.device import Device
    from tvnsearch.network import TinyVideoNetwork

ENTRY_POINTS = "tvnsearch.backends"
"""The group of entry points by which a user's own runtime joins: a module with a ``BACKEND`` record."""


Grain = Literal["call", "node", "network"]


class Backend(NamedTuple):
    """A runtime: the module that prepares networks for it, and what can be asked of it.

    ``precisions`` are those on each device that it runs on. ``grain`` is what its clock can tell apart: each
    layer *call*; the *nodes* of its own graph, which may be several calls fused; or only the whole *network*.
    ``packages`` are what it imports, ``extra`` is the extra that installs them.
    """

    module: str
    precisions: Mapping[str, tuple[str, ...]]
    grain: Grain
    packages: tuple[str, ...] = ()
    extra: str = ""


_FLOATS = ("float32", "bfloat16")

BACKENDS: dict[str, Backend] = {
    "eager": Backend("tvnsearch.devices.backends.eager", {"cpu": _FLOATS, "cuda": _FLOATS}, "call"),
    "cuda-graph": Backend("tvnsearch.devices.backends.cuda_graph", {"cuda": _FLOATS}, "call"),
    "compile": Backend("tvnsearch.devices.backends.compiled", {"cpu": _FLOATS}, "network"),
    "onnxruntime": Backend(
        "tvnsearch.devices.backends.onnx_runtime",
        {"cpu": ("float32", "int8")},
        "node",
        ("onnx", "onnxruntime"),
        "onnx",
    ),
    "openvino": Backend(
        "tvnsearch.devices.backends.open_vino",
        {"cpu": (*_FLOATS, "int8")},
        "node",
        ("onnx", "onnxruntime", "openvino"),
        "openvino",
    ),
}
"""The backends that come with the package."""


class PreparedNetwork(Protocol):
    """A network on its device with clips of the right shape, ready to run."""

    def run(self) -> None:
        """One forward pass; on a GPU, queued and not waited for."""
        ...

    def logits(self, clips: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the same artefact computes of as many clips as a pass takes, normalised."""
        ...


class StampedNetwork(PreparedNetwork, Protocol):
    """One whose layer calls can be timed while it runs: of backends whose grain is a call."""

    def run_stamped(self, stamp: Callable[[], None]) -> None:
        """The same pass, calling ``stamp`` after each layer call in the order of the trace."""
        ...


class DividedNetwork(PreparedNetwork, Protocol):
    """One whose runtime tells what its own nodes took: of backends whose grain is a node."""

    def division(self) -> Division:
        """What the layer calls take of a pass, by passes that are watched and so take longer."""
        ...


class BackendModule(Protocol):
    """What the module of a backend has."""

    def prepare(self, network: TinyVideoNetwork, device: Device) -> PreparedNetwork:
        """Make a folded network on the processor, whatever its weights, ready to run on ``device``."""
        ...

    def versions(self) -> dict[str, str]:
        """What of the runtime, and of its settings, changes latencies: goes into the fingerprint."""
        ...


def known_backends() -> dict[str, Backend]:
    """The backends that come with the package, and those that others have installed, by name."""
    return {**_installed_backends(), **BACKENDS}


@cache
def _installed_backends() -> dict[str, Backend]:
    return {entry.name: entry.load().BACKEND for entry in entry_points(group=ENTRY_POINTS)}


def backends_of(devices: Iterable[str]) -> list[str]:
    """The backends that run on any of ``devices`` and whose packages are installed."""
    names = set(devices)
    return [
        name
        for name, backend in known_backends().items()
        if not names.isdisjoint(backend.precisions) and not missing_packages(backend)
    ]


def missing_packages(backend: Backend) -> list[str]:
    """The packages that a backend needs and that are not installed."""
    return [package for package in backend.packages if find_spec(package) is None]


def require_packages(name: str) -> None:
    """Refuse a backend whose packages are missing.

    Raises:
        UserError: they are, with what installs them.
    """
    backend = known_backends()[name]
    missing = missing_packages(backend)
    if missing:
        installed_by = f"'tvnsearch[{backend.extra}]'" if backend.extra else " ".join(missing)
        raise UserError(
            f"expected the packages of the backend {name}, but {', '.join(missing)} cannot be found; "
            f"install them with `pip install {installed_by}`"
        )


def load_backend(name: str) -> BackendModule:
    """The module of a backend in :func:`known_backends`."""
    return cast(BackendModule, importlib.import_module(known_backends()[name].module))
