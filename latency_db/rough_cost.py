"""A rough guess at a network's latency, to choose what to profile; learnt from what was profiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.trace import Trace

ENOUGH_TO_LEARN = 8

FIRST_GUESS_MS = (1 / 40e6, 1 / 3e6, 1 / 10e6, 0.01)
"""Milliseconds for a multiply-add of a dense layer, for a value read by a window, for a byte, for a call:
one core of a server processor."""

WINDOWED = frozenset({"depthwise_conv", "spatial_pool", "temporal_pool"})


class RoughCost:
    """Non-negative constants of a linear cost; :meth:`learn` improves them with each profiled network."""

    def __init__(self) -> None:
        self._constants_ms = np.array(FIRST_GUESS_MS)
        self._relative_costs: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []

    def estimate_ms(self, network: Trace) -> float:
        """The guess for one clip on one thread."""
        return float(_costs(network) @ self._constants_ms)

    def learn(self, network: Trace, latency_ms: float) -> None:
        """Take a measured network into account; each counts by its relative error."""
        self._relative_costs.append(_costs(network) / latency_ms)
        if len(self._relative_costs) >= ENOUGH_TO_LEARN:
            from scipy.optimize import nnls  # noqa: PLC0415 - half a second that few commands need

            costs = np.stack(self._relative_costs)
            self._constants_ms = nnls(costs, np.ones(len(costs)))[0]


def _costs(network: Trace) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([*call_costs(network.calls).sum(axis=0)[:2], network.bytes_moved, len(network.calls)])


def call_costs(calls: Sequence[LayerCall]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """What each call costs in each unit of ``FIRST_GUESS_MS``, ``(calls, units)``."""
    return np.array(
        [
            (0, call.out_shape.values * call.kernel, call.bytes_moved, 1)
            if call.type in WINDOWED
            else (call.macs, 0, call.bytes_moved, 1)
            for call in calls
        ],
        dtype=np.float64,
    )
