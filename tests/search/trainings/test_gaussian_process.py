from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from tvnsearch.search.trainings import gaussian_process
from tvnsearch.search.trainings.gaussian_process import SLACK, posterior


def _known(count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(count, 3))
    return rows, np.sin(rows[:, 0]) + 0.2 * rows[:, 1]


def test_it_is_the_textbooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against scikit-learn's, with one length scale and own share."""
    monkeypatch.setattr(gaussian_process, "LENGTHS", (0.9,))
    monkeypatch.setattr(gaussian_process, "OWN_SHARES", (0.2,))
    rows, fitness = _known()
    asked = np.random.default_rng(1).normal(size=(7, 3))
    variance = np.linspace(0, 0.3, len(rows))
    found = posterior(rows, fitness, variance, asked)

    both = np.vstack([rows, asked])
    scaled = (both - both.mean(axis=0)) / both.std(axis=0)
    unit = fitness.std()
    mean = np.average(fitness, weights=1 / (variance / unit**2 + 0.5))
    reference = GaussianProcessRegressor(
        ConstantKernel(0.8) * RBF(0.9 * np.sqrt(3)), alpha=0.2 + variance / unit**2 + SLACK, optimizer=None
    ).fit(scaled[:20], (fitness - mean) / unit)
    expected, sd = reference.predict(scaled[20:], return_std=True)
    assert found.mean == pytest.approx(mean + unit * expected)
    assert found.sd == pytest.approx(unit * np.sqrt(sd**2 + 0.2))


def test_it_predicts_what_it_has_seen_the_like_of_and_knows_what_it_has_not() -> None:
    rows, fitness = _known(60)
    near, far = rows[:10] + 0.05, rows[:10] + 30
    found = posterior(rows, fitness, np.zeros(60), np.vstack([near, far]))
    assert np.abs(found.mean[:10] - fitness[:10]).mean() < 0.2
    assert found.sd[10:].min() > 1.5 * found.sd[:10].max()


def test_what_is_uncertain_counts_less() -> None:
    rows, fitness = _known()
    wrong = np.append(fitness, 9.0)
    rows = np.vstack([rows, rows[:1]])
    exact, vague = (
        posterior(rows, wrong, np.array([0.0] * 20 + [variance]), rows[:1]).mean[0]
        for variance in (0.0, 100.0)
    )
    assert abs(vague - fitness[0]) < abs(exact - fitness[0])


def test_features_that_are_all_alike_are_no_trouble() -> None:
    found = posterior(np.ones((5, 2)), np.arange(5.0), np.zeros(5), np.ones((3, 2)))
    assert np.isfinite(found.mean).all() and np.isfinite(found.sd).all()
    assert np.isfinite(posterior(np.ones((4, 1)), np.ones(4), np.zeros(4), np.ones((2, 1))).mean).all()
