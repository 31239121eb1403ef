"""The time of calls that a runtime executes as one, divided among them.

What was measured is the time of a part; which of its calls took how much of it is only known through what the
same kinds of calls take elsewhere. So the time is divided as the prior expects, the prior is fitted to that,
and so on: each round explains the parts' times better (as expectation maximisation does).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency_db.rough_cost import FIRST_GUESS_MS, call_costs
from predictors.call_table import FloatArray
from tvnsearch.genome.calls import LayerCall


def first_divided(
    calls: Sequence[LayerCall], latencies_ms: FloatArray, parts: NDArray[np.intp]
) -> FloatArray:
    """Divide the parts' latencies before anything is known of the device."""
    return divided(latencies_ms, call_costs(calls) @ np.array(FIRST_GUESS_MS), parts)


def divided(latencies_ms: FloatArray, expected_ms: FloatArray, parts: NDArray[np.intp]) -> FloatArray:
    """The sum of ``latencies_ms`` over each part, divided as ``expected_ms`` are; a call alone keeps its."""
    _, places, counts = np.unique(parts, return_inverse=True, return_counts=True)
    ratios = np.bincount(places, latencies_ms) / np.bincount(places, expected_ms)
    return np.where(counts[places] == 1, latencies_ms, expected_ms * ratios[places])
