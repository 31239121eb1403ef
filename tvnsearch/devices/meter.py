"""Measure networks on a device from a process that goes on with its own work. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any

import msgspec

from tvnsearch.devices.device import Device, fingerprint_digest
from tvnsearch.devices.measurement import LayerProfile, Measurement, Timing
from tvnsearch.devices.timing import Plan
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES
from tvnsearch.workers import EnvironmentFailedError, Worker, WorkerDiedError, WorkerFailedError

TASK = "tvnsearch.devices.task"
SPREAD_SECONDS = 1.0
"""Samples are spread over at least this long: slow phases of a machine last seconds."""


class Meter:
    """A worker that times networks with a head of ``classes`` outputs on ``device``; a context manager.

    A worker that dies is started again, once for each request.
    """

    def __init__(
        self, device: Device, classes: int = MOMENTS_IN_TIME_CLASSES, pin_allocator: bool = True
    ) -> None:
        self.device = device
        self.classes = classes
        self._pin_allocator = pin_allocator
        self._worker = self._start()

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """What the device is made of, as the worker process has it."""
        return msgspec.convert(self._call("fingerprint", [], {}), dict[str, str])

    @property
    def digest(self) -> str:
        """The fingerprint's twelve hex digits: the device's name in a latency store."""
        return fingerprint_digest(self.fingerprint)

    def measure(
        self,
        genomes: Sequence[Genome],
        max_seconds: float = 10.0,
        half_width_percent: float = 1.0,
        limit_ms: float | None = None,
    ) -> list[Measurement]:
        """Time whole networks, interleaved, one :class:`Measurement` for each in their order.

        Each network goes on until the 95 % confidence interval of its median is within ``half_width_percent``
        on either side, or far below ``limit_ms``; all of them end after ``max_seconds`` for each network.

        Raises:
            UserError: a network does not fit in memory, or the worker died of one twice.
        """
        return self.time(genomes, max_seconds, half_width_percent, limit_ms).measurements

    def time(
        self,
        genomes: Sequence[Genome],
        max_seconds: float = 10.0,
        half_width_percent: float = 1.0,
        limit_ms: float | None = None,
    ) -> Timing:
        """As :meth:`measure`, with how quickly memory was copied meanwhile."""
        if not genomes:
            return Timing([])
        plan = Plan(
            max_seconds=max_seconds * len(genomes),
            min_seconds=min(SPREAD_SECONDS, max_seconds),
            half_width_percent=half_width_percent,
            limit_ms=limit_ms,
        )
        params = {
            "genomes": msgspec.to_builtins(list(genomes)),
            "classes": self.classes,
            "plan": msgspec.to_builtins(plan),
        }
        return msgspec.convert(self._call("measure", genomes, params), Timing)

    def profile(self, genome: Genome, max_seconds: float = 5.0) -> LayerProfile:
        """Time each layer call of a network while the whole of it runs; ``max_seconds`` bounds the passes.

        Raises:
            UserError: the network does not fit in memory, or the worker died of it twice.
        """
        return self._layers("profile", genome, max_seconds)

    def time_layers(self, genome: Genome, max_seconds: float = 10.0) -> LayerProfile:
        """Time each layer call as surely as the whole network, in turns with passes that are not stamped.

        For one network that matters: :meth:`profile` takes as few passes as a table of many networks needs.

        Raises:
            UserError: the network does not fit in memory, or the worker died of it twice.
        """
        return self._layers("time_layers", genome, max_seconds)

    def restart(self) -> None:
        """Go on in a fresh process, which lies elsewhere in memory."""
        self._worker.close()
        self._worker = self._start()

    def close(self) -> None:
        """End the worker; work in progress is dropped."""
        self._worker.close()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> Worker:
        return Worker(TASK, self.device.threads, self._pin_allocator)

    def _layers(self, method: str, genome: Genome, max_seconds: float) -> LayerProfile:
        params = {"genome": msgspec.to_builtins(genome), "classes": self.classes, "max_seconds": max_seconds}
        return msgspec.convert(self._call(method, [genome], params), LayerProfile)

    def _call(self, method: str, genomes: Sequence[Genome], params: Mapping[str, Any]) -> Any:
        request = {"device": msgspec.to_builtins(self.device), **params}
        names = ", ".join(genome_id(genome) for genome in genomes)
        asked = f"{method} {names}" if names else f"ask for the {method}"
        try:
            try:
                return self._worker.call(method, request)
            except (WorkerDiedError, EnvironmentFailedError):
                self.restart()
                return self._worker.call(method, request)
        except WorkerDiedError as death:
            self.restart()
            raise UserError(
                f"expected to {asked} on {self.device.name}, but the process ended twice ({death}); "
                + _what_to_do(death, bool(names))
            ) from None
        except EnvironmentFailedError as failure:
            self.restart()
            raise EnvironmentFailedError(
                f"expected to {asked} on {self.device.name}, but that failed for what is around it "
                f"({failure}); mend that, and the same command goes on"
            ) from None
        except WorkerFailedError as failure:
            self.restart()  # what has failed once on a GPU may fail for ever in its process
            raise WorkerFailedError(f"{method} {names}: {failure}") from None


def _what_to_do(death: WorkerDiedError, of_a_network: bool) -> str:
    if death.for_memory:
        return "use a smaller network or free some memory"
    if of_a_network:
        return "mend what its last words name, or use another network"
    return "mend what its last words name, and try again"
