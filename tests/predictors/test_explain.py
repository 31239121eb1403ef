from __future__ import annotations

import random

import pytest

from predictors import LatencyPredictor, LayerLatency
from predictors.explain import hints, over_budget, smaller_genomes
from tests.predictors.synthetic_device import CLASSES, network_ms
from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import Branches, ContextGate, NonLocal, SpatialConv, SqueezeExcite
from tvnsearch.genome.trace import trace

GENOME = Genome(
    square_input(64, 4),
    (
        Block((SpatialConv(32, 3, 2, "relu"),)),
        Block((SpatialConv(192, 3, 1, "relu"), SqueezeExcite(0.5)), repeats=3),
        Block((Branches("sum", ((SpatialConv(64, 5), NonLocal(8)), ())), ContextGate())),
    ),
)


def test_hints_name_the_part_and_both_values(predictor: LatencyPredictor) -> None:
    changes = {hint.change for hint in hints(predictor, GENOME, CLASSES)}
    assert "block 2 layer 1: 192 -> 160 filters" in changes
    assert "block 2: 3 -> 2 repeats" in changes
    assert "block 3 layer 1 branch 1.1: 5 -> 3 kernel" in changes
    assert "input: 64 -> 32 pixels" in changes
    assert "input: 4 -> 2 frames" in changes


def test_each_hint_is_one_of_the_smaller_genomes(predictor: LatencyPredictor) -> None:
    changes = list(smaller_genomes(GENOME))
    smaller = dict(changes)
    assert len(smaller) == len(changes)
    for hint in hints(predictor, GENOME, CLASSES):
        [estimate] = predictor.estimate([smaller[hint.change]], CLASSES)
        assert estimate.latency_ms == pytest.approx(hint.latency_ms)


def test_the_first_hints_save_most_and_truly_save(predictor: LatencyPredictor) -> None:
    found = hints(predictor, GENOME, CLASSES)
    assert [hint.saves_ms for hint in found] == sorted((hint.saves_ms for hint in found), reverse=True)
    [now] = predictor.estimate([GENOME], CLASSES)
    assert all(hint.latency_ms + hint.saves_ms == pytest.approx(now.latency_ms) for hint in found)
    narrower = Genome(GENOME.input, (GENOME.blocks[0], Block(_narrowed(), repeats=3), GENOME.blocks[2]))
    saved_ms = next(hint.saves_ms for hint in found if "192 -> 160" in hint.change)
    assert saved_ms == pytest.approx(network_ms(GENOME) - network_ms(narrower), rel=0.5)


def _narrowed() -> tuple[SpatialConv | SqueezeExcite, ...]:
    return (SpatialConv(160, 3, 1, "relu"), SqueezeExcite(0.5))


def test_nothing_is_over_a_budget_that_is_kept() -> None:
    layers = [LayerLatency("a", 1.0), LayerLatency("b", 2.0)]
    assert over_budget(layers, 3.0) == []


def test_the_slowest_calls_over_a_budget_are_as_few_as_can_be() -> None:
    rng = random.Random(0)
    for _ in range(100):
        layers = [LayerLatency(str(number), rng.uniform(0.1, 5)) for number in range(8)]
        max_ms = rng.uniform(1, 20)
        gone = over_budget(layers, max_ms)
        left_ms = sum(layer.latency_ms for layer in layers) - sum(layer.latency_ms for layer in gone)
        assert left_ms <= max_ms + 1e-9
        if gone:
            assert left_ms + gone[-1].latency_ms > max_ms


def test_a_network_as_small_as_can_be_has_few_hints(predictor: LatencyPredictor) -> None:
    smallest = Genome(square_input(32, 1), (Block((SpatialConv(8),)),))
    assert len(trace(smallest, CLASSES).calls) == 2
    assert hints(predictor, smallest, CLASSES) == []
