"""The network timer: this process set up to time networks on one device, and the three things it does."""

from __future__ import annotations

import gc
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import torch

from tvnsearch.control_groups import read_container
from tvnsearch.devices.backends import PreparedNetwork, load_backend
from tvnsearch.devices.clocks import Action, Clock, HostClock, StampedPass
from tvnsearch.devices.container import doubted, why_doubtful
from tvnsearch.devices.core_lock import held, lock_names, timed_cores
from tvnsearch.devices.cuda_clock import CudaClock
from tvnsearch.devices.device import Device, fingerprint_digest
from tvnsearch.devices.fingerprint import fingerprint
from tvnsearch.devices.measurement import LayerProfile, Measurement, Timing
from tvnsearch.devices.memory import require_memory
from tvnsearch.devices.memory_gauge import MemoryGauge
from tvnsearch.devices.reference import best_copy_ns, keep_best_ns, keep_copy_ns, known_best_ns
from tvnsearch.devices.timing import (
    Interval,
    Plan,
    Sample,
    Yardstick,
    is_disturbed,
    measure_in_rounds,
    quantile,
    summarise,
    warm_up,
)
from tvnsearch.genome.genome import Genome

WARM_UP_SECONDS = 2.0
MIN_PASSES, MAX_PASSES = 2, 32
PASSES_SECONDS = 0.08
"""The time for a profile's passes, within those bounds.

Few: the noise of a row (1 to 3 %) is far below the error of a prediction, so other networks teach more. After
eight passes those under 3 ms were known to 10 % only, and 32 of them cost next to nothing. None is counted
before the second: kernels are chosen, weights packed and memory reserved in the first.
"""

PATIENCE = 3
"""How many times the passes asked for are taken at most, when they are disturbed."""

PROFILE_HALF_WIDTH_PERCENT = 3.0
"""A few passes do not tell a median to 1 %; a profile's own network measurement is trusted from here on."""

LAYERS_PASSES = 15
LAYERS_SECONDS = 1.0
"""What layers are timed for at least when they are to be known as surely as the network."""

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
        self._prepare = load_backend(device.backend)
        timer = self._yardstick_timer()
        self._time_copy = self._copy_timer()
        self._digest = fingerprint_digest(fingerprint(device))
        self._process = uuid.uuid4().hex
        self._copies_ns: list[int] = []
        with held(self._locks):
            self._yardstick = Yardstick(timer, known_best_ns(self._digest))
            self._profiling_yardstick = Yardstick(timer)

    def measure(self, genomes: Sequence[Genome], classes: int, plan: Plan) -> Timing:
        """Time whole networks, interleaved, in their order.

        Raises:
            UserError: they do not fit in memory.
        """
        require_memory(genomes, classes, self.device)
        return self._measured([self._prepare(genome, classes, self.device).run for genome in genomes], plan)

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
        """Time each layer call of a network while the whole of it runs.

        A layer call's latency is the median over the undisturbed passes: the sum of medians is what agrees
        best with the median of the whole (on a busy machine quartiles and minima fall 5 and 11 % short). Ends
        when enough passes were undisturbed, when three times as many were taken, or after ``max_seconds``;
        without a single undisturbed one, the quickest quarter counts. The machine is held to the best of this
        process alone: in a slow phase of hours a table of that phase is better than none.

        Raises:
            UserError: it does not fit in memory.
        """
        require_memory([genome], classes, self.device)
        with _no_garbage_collection():
            network = self._prepare(genome, classes, self.device)
            with held(self._locks):
                before = read_container()
                network.run()
                stamped = self._stamped_passes(network, max_seconds)
                doubt = why_doubtful(before, read_container(), self.device)
        plan = Plan(max_seconds, half_width_percent=PROFILE_HALF_WIDTH_PERCENT, min_samples=MIN_PASSES)
        samples = [Sample(taken.interval, reading_ns) for taken, reading_ns in stamped]
        measured = summarise(samples, self._profiling_yardstick, plan)
        return self._layer_profile(stamped, doubted(measured, doubt))

    def time_layers(self, genome: Genome, classes: int, max_seconds: float) -> LayerProfile:
        """Time each layer call of a network as surely as the whole of it, in turns with whole passes.

        A pass that is stamped and one that is not follow each other, so that both see the same machine: the
        sum of the layers and the ``network``, which is of the unstamped passes alone, can be compared. Ends
        when both have enough undisturbed passes over a second or more, or after ``max_seconds``.

        Raises:
            UserError: it does not fit in memory.
        """
        require_memory([genome], classes, self.device)
        with _no_garbage_collection():
            network = self._prepare(genome, classes, self.device)
            with held(self._locks):
                before = read_container()
                warm_up(lambda: self._clock.time_calls(network.run_stamped).interval, WARM_UP_SECONDS)
                stamped, whole = self._passes_in_turns(network, max_seconds)
                doubt = why_doubtful(before, read_container(), self.device)
        plan = Plan(max_seconds, half_width_percent=PROFILE_HALF_WIDTH_PERCENT)
        measured = summarise(whole, self._profiling_yardstick, plan)
        return self._layer_profile(stamped, doubted(measured, doubt))

    def _layer_profile(
        self, stamped: Sequence[tuple[StampedPass, int]], network: Measurement
    ) -> LayerProfile:
        """The medians of the undisturbed passes, or of the quickest quarter where all were disturbed."""
        kept = [taken for taken, reading_ns in stamped if self._is_kept(taken.interval, reading_ns)]
        used = kept or sorted((taken for taken, _ in stamped), key=_total_ns)[: max(len(stamped) // 4, 1)]
        calls_ns = list(zip(*(taken.call_ns for taken in used), strict=True))
        return LayerProfile(
            latencies_ms=tuple(median(times_ns) / 1e6 for times_ns in calls_ns),
            spreads_ms=tuple(
                (quantile(times_ns, 0.75) - quantile(times_ns, 0.25)) / 1e6 for times_ns in calls_ns
            ),
            passes=len(kept),
            disturbed=len(stamped) - len(kept),
            network=network,
        )

    def _stamped_passes(self, network: PreparedNetwork, max_seconds: float) -> list[tuple[StampedPass, int]]:
        """Passes with the yardstick's reading beside each, until enough were undisturbed."""
        stamped: list[tuple[StampedPass, int]] = []
        kept, passes = 0, MAX_PASSES
        end = time.monotonic() + max_seconds
        self._profiling_yardstick.forget()
        while len(stamped) < PATIENCE * passes:
            taken, reading_ns = self._profiling_yardstick.around(
                lambda: self._clock.time_calls(network.run_stamped)
            )
            stamped.append((taken, reading_ns))
            kept += self._is_kept(taken.interval, reading_ns)
            pass_s = taken.interval.wall_ns / 1e9
            passes = min(passes, max(MIN_PASSES, round(PASSES_SECONDS / pass_s)))
            if kept >= passes or time.monotonic() >= end:
                break
        return stamped

    def _passes_in_turns(
        self, network: PreparedNetwork, max_seconds: float
    ) -> tuple[list[tuple[StampedPass, int]], list[Sample]]:
        """Passes with stamps, and passes without, until enough of both were undisturbed."""
        stamped: list[tuple[StampedPass, int]] = []
        whole: list[Sample] = []
        yardstick = self._profiling_yardstick
        start = time.monotonic()
        yardstick.forget()
        kept_stamped = kept_whole = 0
        while True:
            taken, reading_ns = yardstick.around(lambda: self._clock.time_calls(network.run_stamped))
            stamped.append((taken, reading_ns))
            kept_stamped += self._is_kept(taken.interval, reading_ns)
            whole.append(Sample(*yardstick.around(lambda: self._clock.time(network.run))))
            kept_whole += not is_disturbed(whole[-1], yardstick)
            elapsed_s = time.monotonic() - start
            is_enough = elapsed_s >= LAYERS_SECONDS and min(kept_stamped, kept_whole) >= LAYERS_PASSES
            if is_enough or elapsed_s >= max_seconds:
                return stamped, whole

    def _is_kept(self, interval: Interval, yardstick_ns: int) -> bool:
        return not is_disturbed(Sample(interval, yardstick_ns), self._profiling_yardstick)

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


def _total_ns(taken: StampedPass) -> float:
    return sum(taken.call_ns)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
