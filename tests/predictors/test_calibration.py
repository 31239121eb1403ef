from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.calibration import Calibration, conformal_quantile, networks_needed


def test_networks_needed() -> None:
    assert [networks_needed(level) for level in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]


def test_quantile_is_the_ranked_error_where_there_are_enough() -> None:
    errors = np.arange(1, 200) / 100
    assert conformal_quantile(errors, 0.99) == pytest.approx(1.98)
    assert conformal_quantile(errors[:99], 0.99) == pytest.approx(0.99)


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=98), st.floats(0.5, 0.99))
def test_quantile_is_conservative_where_there_are_too_few(errors: list[float], level: float) -> None:
    if len(errors) < networks_needed(level):
        assert conformal_quantile(errors, level) >= max(errors)
    else:
        assert conformal_quantile(errors, level) in errors


@pytest.mark.parametrize(("networks", "level"), [(20, 0.9), (60, 0.9), (150, 0.99), (30, 0.99)])
def test_covers_what_it_promises(networks: int, level: float) -> None:
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(2000):
        *known, new = rng.laplace(0, 0.05, networks + 1)
        calibration = Calibration((10.0,) * networks, tuple(known))
        below, above = calibration.band_widths(level).at(np.array([10.0]))[:, 0]
        covered.append((-below <= new, new <= above))
    for side in np.transpose(covered):
        left_out = (1 - level) / 2
        assert np.mean(side) >= 1 - left_out - 3 * math.sqrt(left_out * (1 - left_out) / 2000)


def test_ranges_of_latency_have_their_own_width() -> None:
    rng = np.random.default_rng(0)
    small_ms, large_ms = rng.uniform(1, 5, 300), rng.uniform(50, 100, 300)
    errors = [*rng.normal(0, 0.2, 300), *rng.normal(0, 0.02, 300)]
    calibration = Calibration((*small_ms, *large_ms), tuple(errors))
    narrow, wide = calibration.band_widths(0.9).at(np.array([80.0, 2.0])).T
    assert (narrow < 0.06).all()
    assert (wide > 0.2).all()


def test_each_side_has_its_own_width() -> None:
    rng = np.random.default_rng(0)
    errors = np.where(rng.random(400) < 0.5, -rng.exponential(0.02, 400), rng.exponential(0.1, 400))
    [[below], [above]] = Calibration((10.0,) * 400, tuple(errors)).band_widths(0.9).at(np.array([10.0]))
    assert below == pytest.approx(-np.quantile(errors, 0.05), rel=0.1)
    assert above == pytest.approx(np.quantile(errors, 0.95), rel=0.1)


def test_errors_on_one_side_leave_no_width_on_the_other() -> None:
    calibration = Calibration((10.0,) * 50, tuple(np.linspace(0.1, 0.2, 50)))
    assert calibration.band_widths(0.9).at(np.array([10.0]))[0] == 0


def test_few_networks_share_one_width() -> None:
    calibration = Calibration((1.0, 2.0, 3.0), (0.1, -0.3, 0.2))
    widths = calibration.band_widths(0.5).at(np.array([0.1, 2.0, 500.0]))
    assert widths.tolist() == [[0.3, 0.3, 0.3], [0.2, 0.2, 0.2]]
