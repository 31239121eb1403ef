"""What was predicted before, by layer call and by block: a child has most of both from its parent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias, cast

import numpy as np

from predictors.call_table import FloatArray
from predictors.features import CallInContext, block_in_context, pass_traffic
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.trace import BlockTrace, Trace

MEMO_CALLS = 2**20
"""Once more layer calls than these are remembered, all are forgotten: about 0.5 GB."""

MEMO_BLOCKS = 2**17
"""The same for blocks."""

_BlockPlace: TypeAlias = tuple[int, LayerCall | None, int]
"""The identity of a traced block, what ran before it, and the traffic of its network."""


class _KnownBlock(NamedTuple):
    """What a block takes; it is held, so that no other object can have its identity."""

    block: BlockTrace
    latency_ms: float
    last: LayerCall | None


class _NewPart(NamedTuple):
    """A block that is not known at its place, or a head: part number ``part`` of network number ``owner``."""

    owner: int
    part: int
    calls: list[CallInContext]
    place: _BlockPlace | None
    block: BlockTrace | None


class LatencyMemo:
    """Latencies in ms from ``predict``, which is asked once, in one batch, for what is new."""

    def __init__(self, predict: Callable[[Sequence[CallInContext]], FloatArray]) -> None:
        self._predict = predict
        self._calls_ms: dict[CallInContext, float] = {}
        self._blocks: dict[_BlockPlace, _KnownBlock] = {}

    def networks_ms(self, networks: Sequence[Trace]) -> FloatArray:
        """The layer calls' milliseconds, summed over each network; the same whatever was known before."""
        if len(self._blocks) > MEMO_BLOCKS:
            self._blocks.clear()
        parts_ms: list[list[float]] = []
        new: list[_NewPart] = []
        for owner, network in enumerate(networks):
            traffic = pass_traffic(network.bytes_moved)
            own_ms: list[float] = []
            previous: LayerCall | None = None
            for block in network.blocks:
                place = (id(block), previous, traffic)
                known = self._blocks.get(place)
                if known is None:
                    contexts = block_in_context(block, previous, traffic)
                    new.append(_NewPart(owner, len(own_ms), contexts, place, block))
                    own_ms.append(0.0)
                    previous = contexts[-1].call if contexts else previous
                else:
                    own_ms.append(known.latency_ms)
                    previous = known.last
            head = CallInContext(network.head, previous, traffic)
            new.append(_NewPart(owner, len(own_ms), [head], None, None))
            own_ms.append(0.0)
            parts_ms.append(own_ms)
        self._fill(parts_ms, new)
        return np.array([sum(own_ms) for own_ms in parts_ms])

    def calls_ms(self, calls: Sequence[CallInContext]) -> list[float]:
        """Each layer call's milliseconds."""
        if len(self._calls_ms) > MEMO_CALLS:
            self._calls_ms.clear()
        known_ms = [self._calls_ms.get(call) for call in calls]
        numbers: dict[CallInContext, int] = {}
        places = [
            (place, numbers.setdefault(calls[place], len(numbers)))
            for place, call_ms in enumerate(known_ms)
            if call_ms is None
        ]
        new_ms = self._predict(list(numbers)).tolist() if numbers else []
        self._calls_ms.update(zip(numbers, new_ms, strict=True))
        for place, number in places:
            known_ms[place] = new_ms[number]
        return cast(list[float], known_ms)

    def _fill(self, parts_ms: list[list[float]], new: Sequence[_NewPart]) -> None:
        calls_ms = iter(self.calls_ms([call for part in new for call in part.calls]))
        for part in new:
            part_ms = sum(islice(calls_ms, len(part.calls)))
            parts_ms[part.owner][part.part] = part_ms
            if part.place is not None and part.block is not None:
                last = part.calls[-1].call if part.calls else part.place[1]
                self._blocks[part.place] = _KnownBlock(part.block, part_ms, last)
