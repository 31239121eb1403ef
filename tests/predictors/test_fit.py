from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import kendalltau, spearmanr
from sklearn.model_selection import GroupKFold

from latency_db import LatencyStore
from predictors import LatencyPredictor, predictor_path
from predictors import fit as fitting
from predictors.features import in_context
from predictors.fit import fit_from_store, fit_predictor
from tests.predictors.synthetic_device import (
    CLASSES,
    FINGERPRINT,
    measured,
    network_ms,
    profiles,
    random_genomes,
    store_profiles,
)
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace


def errors_on(predictor: LatencyPredictor, genomes: list[Genome]) -> np.ndarray:
    predicted_ms = np.array([estimate.latency_ms for estimate in predictor.estimate(genomes, CLASSES)])
    return predicted_ms / np.array([network_ms(genome) for genome in genomes]) - 1


def test_learns_the_synthetic_device(predictor: LatencyPredictor) -> None:
    errors = np.abs(errors_on(predictor, random_genomes(200, seed=2)))
    assert np.mean(errors < 0.10) > 0.85
    assert np.median(errors) < 0.05


def test_beats_the_prior_alone(predictor: LatencyPredictor) -> None:
    assert predictor.heldout.mape_percent < predictor.record.heldout_prior.mape_percent
    assert predictor.heldout.within_10_percent > predictor.record.heldout_prior.within_10_percent


def test_held_out_accuracy_is_what_new_networks_show(predictor: LatencyPredictor) -> None:
    errors = np.abs(errors_on(predictor, random_genomes(300, seed=5)))
    assert predictor.heldout.within_10_percent == pytest.approx(np.mean(errors < 0.10), abs=0.12)


def test_bounds_cover_networks_that_it_never_saw(predictor: LatencyPredictor) -> None:
    genomes = random_genomes(400, seed=6)
    truths_ms = [network_ms(genome) for genome in genomes]
    estimates = predictor.estimate(genomes, CLASSES)
    covered = [
        estimate.lower_ms <= truth_ms <= estimate.upper_ms
        for estimate, truth_ms in zip(estimates, truths_ms, strict=True)
    ]
    assert np.mean(covered) > 0.97


def test_stays_sane_far_beyond_the_training_range(predictor: LatencyPredictor) -> None:
    largest_ms = max(predictor.record.calibration.predicted_ms)
    drawn = [g for seed in range(8, 18) for g in random_genomes(60, seed=seed, space="paper")]
    larger = [g for g in drawn if network_ms(g) > 3 * largest_ms]
    assert len(larger) > 200
    ratios = 1 + errors_on(predictor, larger)
    assert np.quantile(ratios, 0.05) > 0.6
    assert ratios.min() > 0.25
    assert ratios.max() < 2.0


def test_no_row_of_a_tested_network_is_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A genome that was profiled twice must be in one fold; the report must be that of the folds' models."""
    stored = profiles(24, seed=3)
    stored += [replace(profile, row=profile.row + 24) for profile in stored[:6]]
    learnt_calls: list[set[int]] = []
    original = fitting.fit_rows

    def spy(rows: fitting.TrainingRows, chosen: np.ndarray, *rest: Any) -> object:
        learnt_calls.append(set(rows.networks[chosen].tolist()))
        return original(rows, chosen, *rest)

    monkeypatch.setattr(fitting, "fit_rows", spy)
    predictor = fit_predictor(stored, FINGERPRINT, seed=0)
    *folds, everything = learnt_calls
    assert everything == set(range(30))
    tested = [set(range(30)) - fold for fold in folds]
    assert sorted(network for fold in tested for network in fold) == list(range(30))
    assert all((twin in fold) == (twin + 24 in fold) for twin in range(6) for fold in tested)
    assert predictor.heldout.networks == 30


def test_held_out_report_agrees_with_brute_force() -> None:
    """Row by row, fold by fold, with scikit-learn's splits and SciPy's rank correlations."""
    stored = profiles(30, seed=4)
    predictor = fit_predictor(stored, FINGERPRINT, seed=3)
    networks_ms = np.array([profile.network.latency_ms for profile in stored])
    owners = [network for network, profile in enumerate(stored) for _ in profile.latencies_ms]
    contexts = [context for profile in stored for context in in_context(trace(profile.genome, CLASSES))]
    groups = [genome_id(stored[network].genome) for network in owners]
    folds = list(GroupKFold(5, shuffle=True, random_state=3).split(owners, groups=groups))
    sums_ms = np.zeros(len(stored))
    for learnt, tested in folds:
        prior, model = fitting.fit_rows(fitting.TrainingRows.of(stored), learnt, 3)
        fold_predictor = LatencyPredictor(replace(predictor.record, prior=prior, model=model))
        for row in tested:
            sums_ms[owners[row]] += fold_predictor._predict_calls([contexts[row]])[0]
    predicted_ms = np.empty(len(stored))
    for learnt, tested in folds:
        known, new = sorted({owners[row] for row in learnt}), sorted({owners[row] for row in tested})
        predicted_ms[new] = fitting._fit_correction(sums_ms[known], networks_ms[known]).apply(sums_ms[new])
    errors = np.abs(predicted_ms / networks_ms - 1)
    report = predictor.heldout
    assert report.within_10_percent == np.mean(errors <= 0.1)
    assert report.mape_percent == pytest.approx(100 * errors.mean())
    assert report.spearman == pytest.approx(spearmanr(predicted_ms, networks_ms).statistic)
    assert report.kendall == pytest.approx(kendalltau(predicted_ms, networks_ms).statistic)
    assert predictor.record.calibration.predicted_ms == pytest.approx(predicted_ms)
    assert predictor.record.calibration.log_errors == pytest.approx(np.log(networks_ms / predicted_ms))


def test_same_profiles_and_seed_give_the_same_predictor() -> None:
    stored = profiles(20, seed=9)
    assert fit_predictor(stored, FINGERPRINT, 4).record == fit_predictor(stored, FINGERPRINT, 4).record


def test_too_few_networks_are_refused() -> None:
    with pytest.raises(UserError, match=r"at least 10 .* there are 9 .*tvnsearch profile"):
        fit_predictor(profiles(9, seed=1), FINGERPRINT)


def test_networks_that_were_never_undisturbed_do_not_count() -> None:
    stored = profiles(12, seed=1)
    disturbed = [replace(profile, network=measured(1e6, samples=0)) for profile in stored[:2]]
    assert fit_predictor([*disturbed, *stored[2:]], FINGERPRINT).heldout.networks == 10
    with pytest.raises(UserError, match="there are 9 undisturbed"):
        fit_predictor([*disturbed, *stored[3:]], FINGERPRINT)


def test_fits_from_a_store(tmp_path: Path) -> None:
    stored = profiles(12, seed=1)
    path = tmp_path / "latency.sqlite"
    fingerprint = dict.fromkeys(("device", "processor", "threads", "backend", "torch"), "here")
    with LatencyStore(path) as store:
        digest = store_profiles(store, fingerprint, stored)
        predictor = fit_from_store(store, digest)
        with pytest.raises(UserError, match="another device"):
            fit_from_store(store, "0" * 12)
    predictor.require_device(fingerprint)
    assert predictor.heldout.networks == 12
    assert predictor.record.rows == sum(len(profile.latencies_ms) for profile in stored)
    predictor.save(predictor_path(path, digest))
    assert LatencyPredictor.load(predictor_path(path, digest)).record == predictor.record
