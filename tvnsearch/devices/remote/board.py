"""What answers on a device that is somewhere else: ``python -m tvnsearch.devices.remote.board``.

Requests come on the standard input, answers go to the standard output; what anything here prints goes to the
standard error. Timings are taken by a worker of this machine, started as it would be from here, so that
allocator, threads and cores are pinned alike; this process waits meanwhile. When its input closes both end.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from tvnsearch.control_groups import Container, read_container
from tvnsearch.devices.device import Device, open_device
from tvnsearch.devices.remote.connection import greeting
from tvnsearch.devices.surroundings import Surroundings, surroundings_of
from tvnsearch.errors import UserError
from tvnsearch.workers import Progress, Worker, serve


class Board:
    """This machine as another one sees it, with a worker from the first timing on."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def open_device(self, progress: Progress, **asked: Any) -> None:
        """Make sure that this machine has such a device, and can run it as was ``asked``.

        Raises:
            UserError: it has not.
        """
        if importlib.util.find_spec("torch") is None:
            raise UserError(
                "expected torch beside tvnsearch, but there is none; install it there (pip install torch)"
            )
        open_device(**asked)

    def container(self, progress: Progress) -> Container:
        """The limits around what runs here."""
        return read_container()

    def surroundings(self, device: Mapping[str, Any], progress: Progress) -> Surroundings:
        """What is around the device."""
        return surroundings_of(msgspec.convert(device, Device))

    def call(
        self,
        module: str,
        threads: int,
        pin_allocator: bool,
        method: str,
        params: Mapping[str, Any],
        progress: Progress,
    ) -> Any:
        """Have a worker that runs ``module`` answer."""
        if self._worker is None:
            self._worker = Worker(module, threads, pin_allocator)
        return self._worker.call(method, params, progress)


def main() -> None:
    """Greet, and answer until the input closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answers.write(greeting())
    answers.flush()
    board = Board()
    serve(
        {
            "open_device": board.open_device,
            "container": board.container,
            "surroundings": board.surroundings,
            "call": board.call,
        },
        answers,
    )


if __name__ == "__main__":
    main()
