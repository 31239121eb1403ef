"""Phases of a machine: what slows every network for a while, found from the profiled networks themselves.

What else runs on the host of a virtual machine slows its memory for minutes, by some percent, and each kind
of layer by its own share. A profile of half an hour is measured in fast and slow phases alike; a measurement
that is trusted waits for fast ones (:mod:`tvnsearch.devices.processes`). So rows are learnt as they would
have been in the fast phases of their profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictors.call_table import FloatArray

NEIGHBOURS = 16
"""The phase at a network is the median error on so many profiled before it and so many after it."""

FEWEST_NETWORKS = 4 * NEIGHBOURS
"""In a profile of fewer networks no phase is told from chance."""

FAST_SHARE = 0.1
"""Machines are as fast as this share of their phases, or faster, when a measurement is trusted."""

OUTLYING = 0.3
"""Log errors beyond this count as this much."""

PULL = 0.02
"""How strongly the share of a kind of layer is drawn to that of all layers, in units of what all tell."""


class Slowdown(NamedTuple):
    """How much longer than in a fast phase, as a logarithm: each row, and each network."""

    rows: FloatArray
    networks: FloatArray


def slowdown(
    latencies_ms: FloatArray,
    predicted_ms: FloatArray,
    networks: NDArray[np.intp],
    kinds: Sequence[str],
) -> Slowdown:
    """What the phase at its network added to each row.

    Rows are layer calls in the order of their ``networks``, which are counted from 0 in the order in which
    they were profiled; ``predicted_ms`` comes from models that did not see them. The phase at a network is
    what the networks around it have in common, itself left out; how much of that a kind of layer feels is the
    slope of its rows' errors over it, which is near 0 where phases are nothing but chance.
    """
    measured_sums_ms = np.bincount(networks, latencies_ms)
    phases = _medians_of_neighbours(np.log(measured_sums_ms / np.bincount(networks, predicted_ms)))
    phases -= np.median(phases)
    weights = latencies_ms / measured_sums_ms[networks]
    errors = np.clip(np.log(latencies_ms / predicted_ms), -OUTLYING, OUTLYING)
    _, kind_numbers = np.unique(np.array(kinds), return_inverse=True)
    shares = _slopes(errors, phases[networks], weights, kind_numbers)
    rows = shares[kind_numbers] * (phases - np.quantile(phases, FAST_SHARE))[networks]
    fast_sums_ms = np.bincount(networks, latencies_ms * np.exp(-rows))
    return Slowdown(rows, np.log(measured_sums_ms / fast_sums_ms))


def _medians_of_neighbours(values: FloatArray) -> FloatArray:
    padded = np.pad(values, NEIGHBOURS, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    return np.asarray(np.nanmedian(np.delete(windows, NEIGHBOURS, axis=1), axis=1))


def _slopes(
    errors: FloatArray, phases: FloatArray, weights: FloatArray, kinds: NDArray[np.intp]
) -> FloatArray:
    """For each kind the slope of errors over phases, not negative, by weighted least squares with ridge."""

    def about_mean(values: FloatArray) -> FloatArray:
        return np.asarray(
            values - (np.bincount(kinds, weights * values) / np.bincount(kinds, weights))[kinds]
        )

    around = about_mean(phases)
    told = np.bincount(kinds, weights * around * about_mean(errors))
    amounts = np.bincount(kinds, weights * around**2)
    if not amounts.sum():
        return np.zeros(len(amounts))
    common = max(float(told.sum() / amounts.sum()), 0.0)
    pull = PULL * amounts.sum()
    slopes: FloatArray = np.maximum((told + pull * common) / (amounts + pull), 0.0)
    return slopes
