"""Which layer calls a runtime executes as one, and what each takes: read off the names of its own kernels.

A graph's nodes are named after their layer calls, and runtimes name their kernels after the nodes that they
fused in them. Copies between memory layouts count for the call that needs them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_CALL_NAME = re.compile(r"(block\d+\.repeat\d+\.\d+\.[a-z0-9_]+?|head)/")


class Kernel(NamedTuple):
    """What a runtime executed: every name that it knows of it, and how long it took."""

    names: str
    time_ns: float


class Division(NamedTuple):
    """How a pass divides among layer calls, in the order of the trace.

    ``shares`` add up to 1. ``parts`` has for each call the place of the first call of its part, which are the
    calls that are executed as one; the share of a part stands at its first call, its others have none.
    """

    shares: tuple[float, ...]
    parts: tuple[int, ...]


def undivided(calls: int) -> Division:
    """That of a network that is executed as one."""
    return Division((1.0, *[0.0] * (calls - 1)), (0,) * calls)


def divide(kernels: Sequence[Kernel], call_names: Sequence[str]) -> Division:
    """Divide a pass by its kernels, in the order in which they were executed.

    A kernel that is named after several calls makes them one part; one that is named after none belongs to
    the call that was executed before. A call without a kernel of its own was merged into the one before; the
    first, into the first that has one.
    """
    places = {name: place for place, name in enumerate(call_names)}
    joined = list(range(len(call_names)))
    times_ns = [0.0] * len(call_names)
    executed: set[int] = set()
    last = 0
    for kernel in kernels:
        named = [places[name] for name in _CALL_NAME.findall(kernel.names) if name in places]
        if kernel.names.startswith("logits"):
            named.append(len(call_names) - 1)
        if named:
            last = named[-1]
        if kernel.time_ns <= 0:
            continue
        calls = set(named) or {last}
        executed |= calls
        times_ns[last] += kernel.time_ns
        for call in calls:
            _join(joined, call, last)
    for call in range(len(call_names)):
        if executed and call not in executed:
            _join(joined, call, call - 1 if call else min(executed))
    return _division(joined, times_ns)


def _first(joined: list[int], call: int) -> int:
    while joined[call] != call:
        call = joined[call]
    return call


def _join(joined: list[int], one: int, other: int) -> None:
    ends = _first(joined, one), _first(joined, other)
    joined[max(ends)] = min(ends)


def _division(joined: list[int], times_ns: Sequence[float]) -> Division:
    parts = tuple(_first(joined, call) for call in range(len(joined)))
    total_ns = sum(times_ns)
    if total_ns <= 0:
        return undivided(len(joined))
    shares = [0.0] * len(joined)
    for part, time_ns in zip(parts, times_ns, strict=True):
        shares[part] += time_ns / total_ns
    return Division(tuple(shares), parts)
