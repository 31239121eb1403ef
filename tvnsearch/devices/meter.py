"""Measure networks on a device from a process that goes on with its own work. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any

import msgspec
from msgspec.structs import replace

from tvnsearch.devices.device import Device, fingerprint_digest
from tvnsearch.devices.measurement import LayerProfile, Measurement, Timing
from tvnsearch.devices.remote.connection import BoardWorker, ConnectionLostError
from tvnsearch.devices.timing import Plan
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES
from tvnsearch.workers import (
    AskedProcess,
    EnvironmentFailedError,
    Worker,
    WorkerDiedError,
    WorkerFailedError,
)

TASK = "tvnsearch.devices.task"
SPREAD_SECONDS = 1.0
"""Samples are spread over at least this long: slow phases of a machine last seconds."""

RECONNECT_AFTER_SECONDS = (1, 2, 5, 10, 20, 40, 60, 60, 60)
"""A connection that breaks is made again after these waits: long enough for a board that starts anew."""


def _unheard(_sentence: str) -> None:
    return None


class Meter:
    """A worker that times networks with a head of ``classes`` outputs on ``device``; a context manager.

    A worker that dies is started again, once for each request. Where the device is somewhere else, so is the
    worker: a connection that breaks is made again for some minutes, ``say`` hears of it, and what was asked
    for is asked for again.
    """

    def __init__(
        self,
        device: Device,
        classes: int = MOMENTS_IN_TIME_CLASSES,
        pin_allocator: bool = True,
        say: Callable[[str], None] = _unheard,
    ) -> None:
        self.device = device
        self.classes = classes
        self._pin_allocator = pin_allocator
        self._say = say
        self._worker = self._start()
        self._is_known = True

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
            ConnectionLostError: the device is somewhere else, and cannot be reached any more.
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
        return msgspec.convert(self._call("measure", genomes, params, plan.max_seconds), Timing)

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
        self._is_known = False

    def close(self) -> None:
        """End the worker; work in progress is dropped."""
        self._worker.close()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> AskedProcess:
        given = (TASK, self.device.threads, self._pin_allocator)
        return BoardWorker(self.device.place, *given) if self.device.place else Worker(*given)

    def _layers(self, method: str, genome: Genome, max_seconds: float) -> LayerProfile:
        params = {"genome": msgspec.to_builtins(genome), "classes": self.classes, "max_seconds": max_seconds}
        return msgspec.convert(self._call(method, [genome], params, max_seconds), LayerProfile)

    def _call(
        self, method: str, genomes: Sequence[Genome], params: Mapping[str, Any], max_seconds: float = 0.0
    ) -> Any:
        request = {"device": msgspec.to_builtins(replace(self.device, place="")), **params}
        names = ", ".join(genome_id(genome) for genome in genomes)
        asked = f"{method} {names}" if names else f"ask for the {method}"
        try:
            try:
                return self._ask(method, request, max_seconds)
            except (WorkerDiedError, EnvironmentFailedError) as failure:
                if isinstance(failure, ConnectionLostError):
                    raise
                self.restart()
                return self._ask(method, request, max_seconds)
        except WorkerDiedError as death:
            self.restart()
            raise UserError(
                f"expected to {asked} on {self.device.words}, but the process ended twice ({death}); "
                + _what_to_do(death, bool(names))
            ) from None
        except ConnectionLostError as lost:
            raise ConnectionLostError(
                f"expected to {asked} on {self.device.words}, but {len(RECONNECT_AFTER_SECONDS)} tries later "
                f"{lost}; when it can be reached the same command goes on"
            ) from None
        except EnvironmentFailedError as failure:
            self.restart()
            raise EnvironmentFailedError(
                f"expected to {asked} on {self.device.words}, but that failed for what is around it "
                f"({failure}); mend that, and the same command goes on"
            ) from None
        except WorkerFailedError as failure:
            self.restart()  # what has failed once on a GPU may fail for ever in its process
            raise WorkerFailedError(f"{method} {names}: {failure}") from None

    def _ask(self, method: str, request: Mapping[str, Any], max_seconds: float) -> Any:
        """Have the worker answer, after the waits again where the connection to it breaks."""
        bound = max_seconds if self.device.place else None
        for wait_seconds in RECONNECT_AFTER_SECONDS if self.device.place else ():
            try:
                self._require_same_board()
                return self._worker.call(method, request, max_seconds=bound)
            except ConnectionLostError as lost:
                self._say(f"{lost}; again in {wait_seconds} s")
                time.sleep(wait_seconds)
                self.restart()
        self._require_same_board()
        return self._worker.call(method, request, max_seconds=bound)

    def _require_same_board(self) -> None:
        """Compare the fingerprint behind a new connection with the one that is known.

        Raises:
            EnvironmentFailedError: it is another one: what was measured before and after does not compare.
        """
        known = vars(self).get("fingerprint")
        if not self.device.place or self._is_known or known is None:
            return
        there = {"device": msgspec.to_builtins(replace(self.device, place=""))}
        found = self._worker.call("fingerprint", there)
        changes = changed_names(known, found)
        if changes:
            raise EnvironmentFailedError(
                f"expected the same device behind {self.device.words} as before, but {', '.join(changes)}"
            )
        self._is_known = True


def changed_names(known: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What differs between two fingerprints, each as ``torch was 2.12 and is 2.13``."""
    return [
        f"{name} was {known.get(name, 'unknown')} and is {found.get(name, 'unknown')}"
        for name in sorted({*known, *found})
        if known.get(name) != found.get(name)
    ]


def _what_to_do(death: WorkerDiedError, of_a_network: bool) -> str:
    if death.for_memory:
        return "use a smaller network or free some memory"
    if of_a_network:
        return "mend what its last words name, or use another network"
    return "mend what its last words name, and try again"
