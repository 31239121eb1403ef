"""Networks whose runtime executes several calls as one teach as well as those whose calls are all timed."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs
from scipy.stats import kendalltau

from latency_db import StoredProfile
from predictors.fit import TrainingRows, fit_predictor, fit_rows
from predictors.parts import divided
from tests.predictors.synthetic_device import CLASSES, network_ms, profiles, random_genomes


def _merged(profile: StoredProfile, together: int) -> StoredProfile:
    """The same profile as a runtime would tell it that executes so many calls as one."""
    calls = len(profile.latencies_ms)
    parts = tuple(place // together * together for place in range(calls))
    latencies_ms = [0.0] * calls
    for place, part in enumerate(parts):
        latencies_ms[part] += profile.latencies_ms[place]
    return structs.replace(profile, latencies_ms=tuple(latencies_ms), parts=parts)


def test_a_parts_time_is_divided_as_expected_and_adds_up() -> None:
    latencies_ms = np.array([6.0, 0.0, 0.0, 5.0])
    parts = np.array([0, 0, 0, 3])
    assert divided(latencies_ms, np.array([1.0, 2.0, 3.0, 7.0]), parts).tolist() == [1.0, 2.0, 3.0, 5.0]


@pytest.mark.parametrize("together", [2, 3])
def test_the_time_of_calls_is_found_though_only_pairs_were_timed(together: int) -> None:
    known = profiles(60, seed=2, noise=0.0)
    rows = TrainingRows.of([_merged(profile, together) for profile in known])
    truth = np.array([latency_ms for profile in known for latency_ms in profile.latencies_ms])
    prior, _ = fit_rows(rows, np.arange(len(rows.calls)), seed=0)
    all_timed, _ = fit_rows(TrainingRows.of(known), np.arange(len(rows.calls)), seed=0)
    calls = [context.call for context in rows.calls]

    def error(latencies_ms: np.ndarray) -> float:
        return float(np.average(np.abs(np.log(latencies_ms / truth)), weights=truth))

    error_found = error(prior.predict(calls))  # type: ignore[union-attr]
    assert error_found < 0.7 * error(rows.latencies_ms)  # which is what one knows before
    assert error_found < 1.5 * error(all_timed.predict(calls))  # type: ignore[union-attr]


def test_whole_networks_alone_give_a_predictor_that_ranks() -> None:
    whole = [_merged(profile, 10_000) for profile in profiles(60, seed=3)]
    predictor = fit_predictor(whole, {"device": "cpu"})
    unseen = random_genomes(40, seed=77, space="digits")
    predicted = [estimate.latency_ms for estimate in predictor.estimate(unseen, CLASSES)]
    assert kendalltau(predicted, [network_ms(genome) for genome in unseen]).statistic > 0.8
