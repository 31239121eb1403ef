"""Each layer call timed by itself in a loop, as most tables are made, to compare rows in context with."""

from __future__ import annotations

import time

import torch

from tvnsearch.devices.clocks import HostClock
from tvnsearch.devices.timing import Interval, Plan, Yardstick, measure_in_rounds, warm_up
from tvnsearch.genome.calls import LayerCall
from tvnsearch.network.build import MODULES
from tvnsearch.network.deploy import fold_norms
from tvnsearch.network.packing import pack

PLAN = Plan(max_seconds=2.0, half_width_percent=3.0)
"""The half width that a profile's rows have, too."""


class AloneTimer:
    """Times one layer call after the other in this process, on one thread; remembers calls that it knows."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._clock = HostClock(threads=1)
        square = torch.randn(320, 320)
        product = torch.empty_like(square)

        def kernel() -> None:
            torch.mm(square, square, out=product)

        self._yardstick = Yardstick(lambda: self._clock.time(kernel))
        self._known_ms: dict[LayerCall, float] = {}

    def latency_ms(self, call: LayerCall) -> float:
        """The median latency of ``call`` run again and again on the same features."""
        if call not in self._known_ms:
            self._known_ms[call] = self._timed_ms(call)
        return self._known_ms[call]

    @torch.inference_mode()
    def _timed_ms(self, call: LayerCall) -> float:
        module = pack(fold_norms(MODULES[call.type](call).eval()))
        frames, height, width, channels = call.in_shape
        features = torch.randn(frames, height, width, channels).permute(0, 3, 1, 2)
        inputs = [features, features] if call.type == "add" else [features]

        def run() -> None:
            module(*inputs)

        def time_once() -> Interval:
            return self._clock.time(run)

        warm_up(time_once, max_seconds=0.5, now=time.monotonic)
        [measurement] = measure_in_rounds([time_once], self._yardstick, PLAN)
        return measurement.latency_ms
