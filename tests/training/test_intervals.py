from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tvnsearch.training.intervals import bootstrap_mean, bootstrap_mean_average_precision, wilson
from tvnsearch.training.metrics import mean_average_precision


@pytest.mark.parametrize(("right", "clips"), [(0, 1), (1, 1), (7, 10), (50, 100), (999, 1000), (0, 40)])
def test_wilson_is_scipys(right, clips):
    expected = binomtest(right, clips).proportion_ci(0.95, method="wilson")
    found = wilson(right / clips, clips)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_bootstrap_of_a_mean_is_as_wide_as_its_standard_error_says():
    values = np.random.default_rng(0).integers(0, 3, 400)
    found = bootstrap_mean(values)
    error = values.std() / np.sqrt(len(values))
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)


@pytest.mark.parametrize("protocol", ["standard", "charades"])
def test_the_bootstrap_of_the_map_agrees_with_scoring_clips_drawn_again(protocol):
    rng = np.random.default_rng(1)
    labels = (rng.random((150, 4)) < 0.3).astype(np.float32)
    logits = (rng.normal(size=labels.shape) + labels).astype(np.float32)
    found = bootstrap_mean_average_precision(logits, labels, protocol)
    drawn = [rng.integers(150, size=150) for _ in range(300)]
    scores = [mean_average_precision(logits[clips], labels[clips], protocol) for clips in drawn]
    low, high = np.percentile(scores, (2.5, 97.5))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.2 * (high - low))
    assert found.low < mean_average_precision(logits, labels, protocol) < found.high


def test_labels_that_never_occur_have_an_interval_all_the_same():
    found = bootstrap_mean_average_precision(
        np.zeros((5, 2), np.float32), np.zeros((5, 2), np.float32), "standard"
    )
    assert (found.low, found.high) == (0.0, 0.0)
