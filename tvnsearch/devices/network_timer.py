"""The network timer: this process set up to time networks on one device, and the three things it does."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import torch
from msgspec import structs

from tvnsearch.control_groups import read_container
from tvnsearch.devices.backends import PreparedNetwork, known_backends, load_backend
from tvnsearch.devices.clocks import Action, Clock, HostClock
from tvnsearch.devices.container import doubted, why_doubtful
from tvnsearch.devices.core_lock import held, lock_names, timed_cores
from tvnsearch.devices.cuda_clock import CudaClock
from tvnsearch.devices.device import Device, fingerprint_digest
from tvnsearch.devices.fingerprint import fingerprint
from tvnsearch.devices.layer_profiler import WARM_UP_SECONDS, LayerProfiler
from tvnsearch.devices.measurement import LayerProfile, Timing
from tvnsearch.devices.memory import require_memory
from tvnsearch.devices.memory_gauge import MemoryGauge
from tvnsearch.devices.reference import best_copy_ns, keep_best_ns, keep_copy_ns, known_best_ns
from tvnsearch.devices.timing import (
    Interval,
    Plan,
    Yardstick,
    measure_in_rounds,
    warm_up,
)
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace
from tvnsearch.network.synthetic import synthetic_network

YARDSTICK_SIZES = {"cpu": (320, 2**18), "cuda": (4096, 2**26)}
"""Rows of the square matrices, and values copied, of the yardstick on each device."""


COPIED_VALUES = 2**22
"""Values (of 4 bytes) that the gauge of memory copies."""


class NetworkTimer:
    """This process, made ready to time networks on ``device``: use one in a process of its own."""

    def __init__(self, device: Device) -> None:
        self.device = device
        torch.set_flush_denormal(True)  # before the thread pool starts: its threads inherit the setting
        torch.set_num_threads(device.threads)
        self._locks = lock_names(device)  # before pinning, after which these cores are all there are
        if device.name == "cpu" and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, timed_cores(device))
        self._clock: Clock = CudaClock() if device.name == "cuda" else HostClock(device.threads)
        self._backend = load_backend(device.backend)
        timer = self._yardstick_timer()
        self._time_copy = self._copy_timer()
        self._digest = fingerprint_digest(fingerprint(device))
        self._process = uuid.uuid4().hex
        self._copies_ns: list[int] = []
        with held(self._locks):
            self._yardstick = Yardstick(timer, known_best_ns(self._digest))
            self._layers = LayerProfiler(
                self._clock, Yardstick(timer), known_backends()[device.backend].grain
            )

    def measure(self, genomes: Sequence[Genome], classes: int, plan: Plan) -> Timing:
        """Time whole networks, interleaved, in their order.

        Raises:
            UserError: they do not fit in memory.
        """
        require_memory(genomes, classes, self.device)
        return self._measured([self._prepared(genome, classes).run for genome in genomes], plan)

    def measure_run(self, run: Action, plan: Plan) -> Timing:
        """Time whatever else runs on the device, by the same protocol."""
        return self._measured([run], plan)

    def _measured(self, runs: Sequence[Action], plan: Plan) -> Timing:
        gauge = MemoryGauge(self._time_copy) if self.device.name == "cpu" else None
        with _no_garbage_collection(), held(self._locks):
            before = read_container()
            timers = [self._warmed(run) for run in runs]
            read_gauge = gauge.read_if_due if gauge else lambda: False
            measured = measure_in_rounds(timers, self._yardstick, plan, read_gauge=read_gauge)
            doubt = why_doubtful(before, read_container(), self.device)
        measured = [doubted(measurement, doubt) for measurement in measured]
        keep_best_ns(self._digest, self._yardstick.usual_best_ns)
        if gauge is None:
            return Timing(measured)
        self._copies_ns.append(gauge.copy_ns)
        keep_copy_ns(self._digest, self._process, round(median(self._copies_ns)))
        return Timing(measured, gauge.copy_ns, best_copy_ns(self._digest))

    def profile(self, genome: Genome, classes: int, max_seconds: float) -> LayerProfile:
        """Time each layer call of a network, as soon as :meth:`LayerProfiler.profile` has it.

        Raises:
            UserError: it does not fit in memory.
        """
        return self._profiled(self._layers.profile, genome, classes, max_seconds)

    def time_layers(self, genome: Genome, classes: int, max_seconds: float) -> LayerProfile:
        """Time each layer call of a network as surely as the whole: :meth:`LayerProfiler.time_layers`.

        Raises:
            UserError: it does not fit in memory.
        """
        return self._profiled(self._layers.time_layers, genome, classes, max_seconds)

    def _profiled(
        self,
        time_calls: Callable[[PreparedNetwork, int, float], LayerProfile],
        genome: Genome,
        classes: int,
        max_seconds: float,
    ) -> LayerProfile:
        require_memory([genome], classes, self.device)
        with _no_garbage_collection():
            network = self._prepared(genome, classes)
            calls = len(trace(genome, classes).calls)
            with held(self._locks):
                before = read_container()
                profile = time_calls(network, calls, max_seconds)
                doubt = why_doubtful(before, read_container(), self.device)
        return structs.replace(profile, network=doubted(profile.network, doubt))

    def _prepared(self, genome: Genome, classes: int) -> PreparedNetwork:
        return self._backend.prepare(synthetic_network(genome, classes), self.device)

    def _warmed(self, run: Action) -> Callable[[], Interval]:
        def time_once() -> Interval:
            return self._clock.time(run)

        warm_up(time_once, WARM_UP_SECONDS)
        return time_once

    def _yardstick_timer(self) -> Callable[[], Interval]:
        """A matrix product and a copy: about 0.6 ms on one core, in cache; some ms on a GPU.

        A GPU's is long enough for its launches not to matter, so that it tells of clocks throttled down.
        """
        size, count = YARDSTICK_SIZES[self.device.name]
        square = torch.randn(size, size, device=self.device.name)
        product = torch.empty_like(square)
        values = torch.randn(count, device=self.device.name)
        copied = torch.empty_like(values)

        def kernel() -> None:
            torch.mm(square, square, out=product)
            copied.copy_(values)

        return lambda: self._clock.time(kernel)

    def _copy_timer(self) -> Callable[[], Interval]:
        """A copy that fits in no cache: about 1 ms."""
        values = torch.ones(COPIED_VALUES)  # zeros would all be the kernel's one page of them
        copied = values.clone()

        def copy() -> None:
            copied.copy_(values)

        return lambda: self._clock.time(copy)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
