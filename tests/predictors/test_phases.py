from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from latency_db import StoredProfile
from predictors import fit as fitting
from predictors.fit import fit_predictor
from predictors.phases import FAST_SHARE, slowdown
from tests.predictors.synthetic_device import (
    CLASSES,
    FINGERPRINT,
    measured,
    network_ms,
    profiles,
    random_genomes,
)

ROWS_EACH = 6


def a_profile(phases: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Measured and predicted rows of networks in phases: ``memory`` feels them twice, ``cache`` never."""
    rng = np.random.default_rng(seed)
    networks = np.repeat(np.arange(len(phases)), ROWS_EACH)
    kinds = ["memory", "memory", "cache"] * (len(networks) // 3)
    felt = np.where(np.array(kinds) == "memory", 2.0, 0.0)
    predicted_ms = rng.uniform(1, 5, len(networks))
    measured_ms = predicted_ms * np.exp(felt * phases[networks] + rng.normal(0, 0.08, len(networks)))
    return measured_ms, predicted_ms, networks, kinds


def test_each_kind_is_freed_of_what_it_felt_of_a_phase() -> None:
    phases = 0.05 * np.sin(np.arange(600) / 600 * 6 * math.pi)
    measured_ms, predicted_ms, networks, kinds = a_profile(phases, seed=0)
    found = slowdown(measured_ms, predicted_ms, networks, kinds)
    slower = phases - np.quantile(phases, FAST_SHARE)
    of_memory = np.array(kinds) == "memory"
    assert np.corrcoef(found.rows[of_memory], slower[networks[of_memory]])[0, 1] > 0.95
    assert np.median(np.abs(found.rows[of_memory] - 2 * slower[networks[of_memory]])) < 0.02
    assert np.median(np.abs(found.rows[~of_memory])) < 0.01
    fast_ms = np.bincount(networks, measured_ms * np.exp(-found.rows))
    assert np.bincount(networks, measured_ms) * np.exp(-found.networks) == pytest.approx(fast_ms)


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_no_phase(seed: int) -> None:
    found = slowdown(*a_profile(np.zeros(600), seed))
    assert np.abs(found.networks).max() < 0.01


def in_phases(known: Sequence[StoredProfile], slower: float) -> list[StoredProfile]:
    """The same profiles on a machine that is slower in every other fifty of them."""
    return [
        replace(
            profile,
            latencies_ms=tuple(latency_ms * factor for latency_ms in profile.latencies_ms),
            network=measured(profile.network.latency_ms * factor),
        )
        for number, profile in enumerate(known)
        for factor in [slower if number // 50 % 2 else 1.0]
    ]


def test_predictions_are_of_the_fast_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = in_phases(profiles(400, seed=1), slower=1.3)
    genomes = random_genomes(100, seed=2)
    truths_ms = np.array([network_ms(genome) for genome in genomes])

    def bias() -> float:
        predictor = fit_predictor(stored, FINGERPRINT)
        predicted_ms = [estimate.latency_ms for estimate in predictor.estimate(genomes, CLASSES)]
        return float(np.median(np.log(predicted_ms / truths_ms)))

    assert abs(bias()) < 0.04
    monkeypatch.setattr(fitting, "FEWEST_NETWORKS", len(stored) + 1)
    assert bias() > 0.1
