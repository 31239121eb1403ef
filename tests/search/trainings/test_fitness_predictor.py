from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from tests.genome.strategies import DIGITS, MOBILE, genomes
from tvnsearch.genome import Block, Genome
from tvnsearch.genome.genome import square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.trace import trace
from tvnsearch.search.trainings.fitness_predictor import CONTROL_SHARE, Choice, FitnessPredictor
from tvnsearch.search.trainings.genome_features import genome_features
from tvnsearch.search.trainings.results import Observation

CLASSES = 40


def _drawn(count: int, seed: int = 0) -> list[Genome]:
    rng = random.Random(seed)
    return [sample_genome(DIGITS, rng) for _ in range(count)]


def _fitness(genome: Genome) -> float:
    """Larger networks are fitter, and those that look over time most of all."""
    calls = trace(genome, CLASSES).calls
    over_time = sum(call.type == "temporal_conv" for call in calls)
    return 0.1 * min(over_time, 5) + 0.05 * len(calls)


def _told(predictor: FitnessPredictor, known: list[Genome], share: float = 1.0) -> None:
    for number, genome in enumerate(known):
        predictor.observe(Observation(number, genome, share, share * _fitness(genome)))


def _taken(predictor: FitnessPredictor, rounds: int, proposals: int = 16) -> list[float]:
    """The fitness of what it chooses, as a share of ranks: 1 the best of the proposals, 0 the worst."""
    ranks = []
    for number in range(rounds):
        offered = _drawn(proposals, seed=1000 + number)
        choice = predictor.choose(offered, random.Random(number))
        values = [_fitness(genome) for genome in offered]
        ranks.append(sum(value < values[choice.place] for value in values) / (proposals - 1))
    return ranks


def test_what_it_knows_too_little_about_it_leaves_in_order() -> None:
    predictor = FitnessPredictor(CLASSES)
    _told(predictor, _drawn(3))
    assert predictor.choose(_drawn(8), random.Random(0)) == Choice(0, None)


@pytest.mark.parametrize("whole", [40, 8])
def test_it_takes_networks_that_turn_out_well(whole: int) -> None:
    """From whole trainings, and from the beginnings of such that were stopped."""
    predictor = FitnessPredictor(CLASSES)
    for number, genome in enumerate(_drawn(40)):
        for share in (0.6, 1.0) if number < whole else (0.6,):
            predictor.observe(Observation(number, genome, share, share * _fitness(genome)))
    ranks = _taken(predictor, 20)
    assert sum(ranks) / len(ranks) > 0.7


def test_it_tries_what_is_unlike_all_that_it_knows() -> None:
    """Of networks that are all predicted about alike, it takes the one that nobody has tried the like of."""
    known = [Genome(square_input(32, 2), (Block((SpatialConv(8 + 8 * n, 3),)),)) for n in range(6)]
    predictor = FitnessPredictor(CLASSES)
    for number, genome in enumerate(known):
        predictor.observe(Observation(number, genome, 1.0, 0.5 + 0.01 * (number % 2)))
    odd = Genome(
        square_input(64, 8), (Block((SpatialConv(24, 5, 2), TemporalConv(64, 5), SpatialConv(8, 3))),)
    )
    places = [predictor.choose([known[3], known[2], odd], random.Random(seed)).place for seed in range(20)]
    assert places.count(2) > 15


def test_of_what_is_as_promising_it_takes_what_costs_less() -> None:
    predictor, rng = FitnessPredictor(CLASSES), random.Random(1)
    known = _drawn(20)
    for number, genome in enumerate(known):
        costs = (1.0 + 0.1 * number, 1000.0 + number)
        predictor.observe(Observation(number, genome, 1.0, _fitness(genome), costs))
    [offered] = _drawn(1, seed=7)
    costly, cheap = (2.5, 1500.0), (0.5, 500.0)
    places = [predictor.choose([offered] * 2, rng, [costly, cheap]).place for _ in range(20)]
    assert places.count(1) > 15


def test_predictions_rank_unseen_networks() -> None:
    predictor = FitnessPredictor(CLASSES)
    _told(predictor, _drawn(60))
    unseen = _drawn(30, seed=5)
    predicted = [predictor.choose([genome], random.Random(0)).predicted for genome in unseen]
    assert kendalltau(predicted, [_fitness(genome) for genome in unseen]).statistic > 0.4


def test_some_children_are_taken_unlooked_at() -> None:
    predictor = FitnessPredictor(CLASSES)
    _told(predictor, _drawn(20))
    offered = sorted(_drawn(16, seed=9), key=_fitness)
    places = [predictor.choose(offered, random.Random(seed)).place for seed in range(200)]
    assert CONTROL_SHARE / 3 < places.count(0) / 200 < 3 * CONTROL_SHARE


def test_a_fitness_that_has_nothing_to_do_with_the_genome_switches_it_off() -> None:
    predictor, rng = FitnessPredictor(CLASSES), random.Random(0)
    said = []
    for number, genome in enumerate(_drawn(120)):
        choice = predictor.choose([genome], rng)
        predictor.expect(number, choice.predicted)
        fitness = rng.random() if choice.predicted is None else 1 - choice.predicted
        said.append(predictor.observe(Observation(number, genome, 1.0, fitness)))
        if not predictor.active:
            break
    assert "the fitness predictor is switched off" in (said[-1] or "")
    assert predictor.choose(_drawn(8), rng) == Choice(0, None)


def test_replayed_it_decides_as_it_would_have() -> None:
    known, offered = _drawn(30), _drawn(12, seed=3)
    whole = FitnessPredictor(CLASSES)
    choices, points = [], []
    for number, genome in enumerate(known):
        choice = whole.choose([genome, known[0]], random.Random(number))
        whole.expect(number, choice.predicted)
        choices.append((number, choice))
        points.append(Observation(number, genome, 1.0, _fitness(genome)))
        whole.observe(points[-1])
    resumed = FitnessPredictor(CLASSES)
    for number, choice in choices:  # all that was chosen is known before any of it is trained
        resumed.expect(number, choice.predicted)
    for observation in points:
        resumed.observe(observation)
    assert resumed.kendall == whole.kendall
    for seed in range(5):
        assert resumed.choose(offered, random.Random(seed)) == whole.choose(offered, random.Random(seed))


@given(genomes(MOBILE))
@settings(max_examples=50, deadline=None)
def test_every_genome_has_the_same_features_in_the_same_order(genome: Genome) -> None:
    names = list(genome_features(_drawn(1)[0], CLASSES))
    features = genome_features(genome, CLASSES)
    assert list(features) == names
    assert all(math.isfinite(value) for value in features.values())
    assert features["field_frames"] <= genome.input.frames


@given(st.integers(2, 8))
def test_receptive_fields_are_those_of_the_layers(frames: int) -> None:
    layers = (SpatialConv(8, 3, 2), SpatialConv(8, 3), TemporalConv(8, 3))
    features = genome_features(Genome(square_input(32, frames), (Block(layers),)), CLASSES)
    assert features["field_pixels"] == 1 + 2 + 2 * 2
    assert features["field_frames"] == min(3, frames)
    assert features["first_temporal_side"] == 16


def test_it_needs_no_torch() -> None:
    code = "import sys, tvnsearch.search.trainings.fitness_predictor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
