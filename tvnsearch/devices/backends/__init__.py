"""The runtimes that execute a network on a device, one module each."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Protocol, cast

BACKENDS = {
    "eager": "tvnsearch.devices.backends.eager",
    "cuda-graph": "tvnsearch.devices.backends.cuda_graph",
}
"""Each backend's module; it has a function ``prepare`` with the signature of :data:`Prepare`."""

DEVICES_OF_BACKENDS = {"eager": ("cpu", "cuda"), "cuda-graph": ("cuda",)}
"""Where each backend can run."""


class PreparedNetwork(Protocol):
    """A network on its device with a clip of the right shape, ready to run."""

    def run(self) -> None:
        """One forward pass; on a GPU, queued and not waited for."""
        ...

    def run_stamped(self, stamp: Callable[[], None]) -> None:
        """The same pass, calling ``stamp`` after each layer call in the order of the trace."""
        ...


Prepare = Callable[..., PreparedNetwork]
"""``prepare(genome, classes, device) -> PreparedNetwork``."""


def backends_of(devices: Iterable[str]) -> list[str]:
    """The backends that run on any of ``devices``."""
    return [name for name, runs_on in DEVICES_OF_BACKENDS.items() if not set(runs_on).isdisjoint(devices)]


def load_backend(name: str) -> Prepare:
    """The ``prepare`` function of a backend in :data:`BACKENDS`."""
    return cast(Prepare, importlib.import_module(BACKENDS[name]).prepare)
