"""Why a network takes as long as it does: the calls over a budget, and the changes that would save most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from predictors.predictor import LatencyPredictor, LayerLatency
from tvnsearch.genome.genome import Block, Genome
from tvnsearch.genome.layers import Branches, Layer
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

RESOLUTION_STEP_PIXELS = 32
FILTERS_STEPS = (32, 8)
"""Filters go down to the next multiple of the first that is below them, or of the second."""


class Hint(Struct, frozen=True):
    """One part of a network made one step smaller, as in ``block 2 layer 1: 192 -> 160 filters``."""

    change: str
    saves_ms: float
    latency_ms: float


def hints(predictor: LatencyPredictor, genome: Genome, classes: int = MOMENTS_IN_TIME_CLASSES) -> list[Hint]:
    """Every change of one part to its next smaller value that saves time, the best first."""
    changes = list(smaller_genomes(genome))
    now, *after = predictor.estimate([genome, *(changed for _, changed in changes)], classes)
    found = [
        Hint(change, now.latency_ms - estimate.latency_ms, estimate.latency_ms)
        for (change, _), estimate in zip(changes, after, strict=True)
    ]
    return sorted((hint for hint in found if hint.saves_ms > 0), key=lambda hint: -hint.saves_ms)


def over_budget(layers: Sequence[LayerLatency], max_ms: float) -> list[LayerLatency]:
    """The slowest layer calls, as few as the others keep ``max_ms`` without; none if all keep it."""
    slowest = sorted(layers, key=lambda layer: -layer.latency_ms)
    over_ms = sum(layer.latency_ms for layer in layers) - max_ms
    gone_ms = accumulate((layer.latency_ms for layer in slowest), initial=0.0)
    return [layer for layer, before_ms in zip(slowest, gone_ms, strict=False) if before_ms < over_ms]


def smaller_genomes(genome: Genome) -> Iterator[tuple[str, Genome]]:
    """Every change of one part to its next smaller value, in words, and what the genome is after it."""
    spec = genome.input
    if spec.short_side > RESOLUTION_STEP_PIXELS:
        share = 1 - RESOLUTION_STEP_PIXELS / spec.short_side
        fewer = replace(spec, height=round(spec.height * share), width=round(spec.width * share))
        yield f"input: {spec.size} -> {fewer.size} pixels", replace(genome, input=fewer)
    if spec.frames > 1:
        frames = spec.frames // 2
        yield f"input: {spec.frames} -> {frames} frames", replace(genome, input=replace(spec, frames=frames))
    for place, block in enumerate(genome.blocks):
        for change, smaller in _smaller_blocks(block):
            blocks = (*genome.blocks[:place], smaller, *genome.blocks[place + 1 :])
            yield f"block {place + 1}{change}", replace(genome, blocks=blocks)


def _smaller_blocks(block: Block) -> Iterator[tuple[str, Block]]:
    if block.repeats > 1:
        repeats = block.repeats - 1
        yield f": {block.repeats} -> {repeats} repeats", replace(block, repeats=repeats)
    for place, layer in enumerate(block.layers):
        for change, smaller in _smaller_layers(layer):
            layers = (*block.layers[:place], smaller, *block.layers[place + 1 :])
            yield f" layer {place + 1}{change}", replace(block, layers=layers)


def _smaller_layers(layer: Layer) -> Iterator[tuple[str, Layer]]:
    if isinstance(layer, Branches):
        for number, branch in enumerate(layer.branches):
            for place, inner in enumerate(branch):
                for change, smaller in _smaller_layers(inner):
                    narrowed = (*branch[:place], smaller, *branch[place + 1 :])
                    branches = (*layer.branches[:number], narrowed, *layer.branches[number + 1 :])
                    yield f" branch {number + 1}.{place + 1}{change}", replace(layer, branches=branches)
        return
    for name, step in _STEPS.items():
        value = getattr(layer, name, None)
        smaller_value = None if value is None else step(value)
        if smaller_value is not None:
            yield f": {value:g} -> {smaller_value:g} {name}", replace(layer, **{name: smaller_value})


def _fewer_filters(filters: float) -> float | None:
    for multiple in FILTERS_STEPS:
        if filters > multiple:
            return (int(filters) - 1) // multiple * multiple
    return None


def _smaller_kernel(kernel: float) -> float | None:
    return None if kernel == 1 else kernel - (2 if kernel % 2 else 1)


def _half_bottleneck(bottleneck: float) -> float | None:
    return int(bottleneck) // 2 or None


_STEPS: dict[str, Callable[[float], float | None]] = {
    "filters": _fewer_filters,
    "kernel": _smaller_kernel,
    "kernel_frames": _smaller_kernel,
    "bottleneck": _half_bottleneck,
    "ratio": lambda ratio: ratio / 2,
    "expansion": lambda expansion: max(1.0, expansion - 1) if expansion > 1 else None,
}
"""The next smaller value of a layer's parameter; None where there is none."""
