"""Rough latencies: by the prior alone, without what runs around a call. They settle most verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictors.call_table import FloatArray
from predictors.prior import RooflinePrior
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.trace import BlockTrace, Trace

REMEMBERED_BLOCKS = 2**17
"""Once more blocks than these are remembered, all are forgotten."""


class RoughLatency:
    """Sums of a prior's layer latencies; of what it saw before it remembers blocks."""

    def __init__(self, prior: RooflinePrior) -> None:
        self._prior = prior
        # A block is kept beside its milliseconds, so that no other object can have its identity.
        self._blocks: dict[int, tuple[BlockTrace, float]] = {}
        self._heads_ms: dict[LayerCall, float] = {}

    def networks_ms(self, networks: Sequence[Trace]) -> FloatArray:
        """The layer calls' milliseconds by the prior, summed over each network."""
        if len(self._blocks) > REMEMBERED_BLOCKS:
            self._blocks.clear()
            self._heads_ms.clear()
        blocks, heads_ms = self._blocks, self._heads_ms
        new = {
            id(block): block for network in networks for block in network.blocks if id(block) not in blocks
        }
        new_heads = {network.head: None for network in networks if network.head not in heads_ms}
        self._look_at(list(new.values()), list(new_heads))
        return np.array(
            [
                heads_ms[network.head] + sum([blocks[id(block)][1] for block in network.blocks])
                for network in networks
            ]
        )

    def _look_at(self, new: Sequence[BlockTrace], heads: Sequence[LayerCall]) -> None:
        """Remember what ``new`` blocks and ``heads`` take."""
        calls: list[LayerCall] = []
        numbers: list[int] = []
        starts: list[int] = []
        counts: list[int] = []
        for number, block in enumerate(new):
            last = None
            for repeat in block.repeats:
                if repeat is last:
                    counts[-1] += 1
                else:
                    numbers.append(number)
                    starts.append(len(calls))
                    counts.append(1)
                    calls += repeat.calls
                    last = repeat
        calls_ms = self._prior.predict([*calls, *heads])
        if new:
            # An empty repeat has no calls to sum, and reduceat would give it its neighbour's.
            sums_ms = np.add.reduceat(np.append(calls_ms[: len(calls)], 0.0), starts)
            sums_ms[np.diff(np.append(starts, len(calls))) == 0] = 0.0
            blocks_ms = np.bincount(numbers, sums_ms * counts, minlength=len(new)).tolist()
            self._blocks.update(
                (id(block), (block, block_ms)) for block, block_ms in zip(new, blocks_ms, strict=True)
            )
        self._heads_ms.update(zip(heads, calls_ms[len(calls) :].tolist(), strict=True))
