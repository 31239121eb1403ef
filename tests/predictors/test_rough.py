from __future__ import annotations

import random

import numpy as np
import pytest

from predictors import LatencyPredictor
from predictors.rough import RoughLatency
from tests.predictors.synthetic_device import CLASSES, network_ms, random_genomes
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.space import load_space
from tvnsearch.genome.trace import trace


def test_sums_are_those_of_the_prior_whatever_was_asked_before(predictor: LatencyPredictor) -> None:
    prior = predictor.record.prior
    genomes = random_genomes(60, seed=31) + random_genomes(60, seed=31, space="paper")
    rng, space = random.Random(0), load_space("paper")
    genomes += [mutate(genome, space, rng) for genome in genomes[60:]]
    networks = [trace(genome, CLASSES) for genome in genomes]
    expected_ms = [prior.predict(network.calls).sum() for network in networks]
    rough = RoughLatency(prior)
    assert rough.networks_ms(networks[:7]) == pytest.approx(expected_ms[:7])
    assert rough.networks_ms(networks) == pytest.approx(expected_ms)
    assert rough.networks_ms(networks[::-1]) == pytest.approx(expected_ms[::-1])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_verdicts_reject_what_is_well_over_the_budget_and_lose_hardly_any_network(
    predictor: LatencyPredictor, share: float
) -> None:
    genomes = random_genomes(400, seed=32)
    truths_ms = np.array([network_ms(genome) for genome in genomes])
    max_ms = float(np.quantile(truths_ms, share))
    over = predictor.estimate_over(genomes, max_ms, CLASSES)
    assert all(known is None or known.latency_ms > max_ms for known in over)
    rejected = np.array([known is not None for known in over])
    assert rejected[truths_ms > 1.1 * max_ms].mean() > 0.99
    assert rejected[truths_ms <= max_ms].mean() < 0.01


def test_far_from_the_budget_the_model_is_not_even_loaded(predictor: LatencyPredictor) -> None:
    fresh = LatencyPredictor(predictor.record)
    genomes = random_genomes(50, seed=33)
    assert all(fresh.estimate_over(genomes, 1e-3, CLASSES))
    assert not any(fresh.estimate_over(genomes, 1e6, CLASSES))
    assert "_booster" not in vars(fresh)
    fresh.estimate(genomes[:1], CLASSES)
    assert "_booster" in vars(fresh)


def test_what_was_measured_moves_rough_verdicts_too(predictor: LatencyPredictor) -> None:
    moved = LatencyPredictor(predictor.record)
    genomes = random_genomes(150, seed=34)
    truths_ms = np.array([network_ms(genome) for genome in genomes])
    slower = 2.0
    for genome, truth_ms in zip(genomes[:50], truths_ms[:50], strict=True):
        moved.observe(genome, slower * truth_ms, CLASSES)
    max_ms = float(np.median(slower * truths_ms))
    over = np.array([known is not None for known in moved.estimate_over(genomes[50:], max_ms, CLASSES)])
    assert over[slower * truths_ms[50:] > 1.5 * max_ms].mean() > 0.9
    assert over[slower * truths_ms[50:] <= max_ms].mean() < 0.05


def test_the_more_networks_were_met_at_the_budget_the_fewer_are_rejected(predictor: LatencyPredictor) -> None:
    crowded, wide = LatencyPredictor(predictor.record), LatencyPredictor(predictor.record)
    genomes = random_genomes(400, seed=35)
    max_ms = float(np.median([network_ms(genome) for genome in genomes]))
    crowded.meet((max_ms * np.exp(np.linspace(-0.1, 0.1, 500))).tolist())
    wide.meet((max_ms * np.exp(np.linspace(-3, 3, 500))).tolist())
    rejected = [
        {place for place, known in enumerate(one.estimate_over(genomes, max_ms, CLASSES)) if known}
        for one in (crowded, wide)
    ]
    assert rejected[0] < rejected[1]
