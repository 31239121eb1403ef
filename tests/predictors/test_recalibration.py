from __future__ import annotations

import numpy as np
import pytest

from predictors.calibration import Calibration
from predictors.recalibration import Recalibration

LEVEL = 0.95


def held_out(count: int = 300, spread: float = 0.05, seed: int = 0) -> Calibration:
    rng = np.random.default_rng(seed)
    return Calibration(tuple(rng.uniform(1, 100, count)), tuple(rng.normal(0, spread, count)))


def width_at_50_ms(bounds: Recalibration) -> float:
    return float(bounds.widths(np.array([50.0])).sum())


def misses_over(
    bounds: Recalibration, count: int, shift: float, spread: float, seed: int
) -> tuple[int, list[str]]:
    """Networks outside their bounds before each was observed, and what was said."""
    rng = np.random.default_rng(seed)
    misses, said = 0, []
    for _ in range(count):
        predicted_ms = float(rng.uniform(1, 100))
        log_error = float(rng.normal(shift, spread))
        measured_ms = predicted_ms * float(np.exp(log_error))
        moved_ms = bounds.moved(np.array([predicted_ms]))
        below, above = bounds.widths(moved_ms)[:, 0]
        misses += not -below <= np.log(measured_ms / moved_ms[0]) <= above
        sentence = bounds.observe(predicted_ms, measured_ms)
        said += [sentence] if sentence else []
    return misses, said


def test_networks_like_the_held_out_ones_keep_their_bounds_without_a_word() -> None:
    for seed in range(10):
        misses, said = misses_over(Recalibration(held_out(), LEVEL), 200, 0.0, 0.05, seed)
        assert said == []
        assert misses <= 0.1 * 200


@pytest.mark.parametrize(("shift", "spread"), [(0.25, 0.05), (0.0, 0.2)])
def test_drift_is_said_once_and_bounds_recover(shift: float, spread: float) -> None:
    bounds = Recalibration(held_out(), LEVEL)
    _, said = misses_over(bounds, 60, shift, spread, seed=1)
    assert len(said) == 1
    assert "95 % bounds" in said[0]
    misses, said = misses_over(bounds, 300, shift, spread, seed=2)
    assert said == []
    assert misses <= 0.1 * 300


def test_a_single_miss_is_no_drift() -> None:
    bounds = Recalibration(held_out(), 0.99)
    assert bounds.observe(10.0, 20.0) is None


def test_measurements_widen_bounds_that_were_too_narrow() -> None:
    bounds = Recalibration(held_out(40, spread=0.01), LEVEL)
    before = width_at_50_ms(bounds)
    for measured_ms in (51.5, 48.5, 51.5, 48.5, 51.5):
        bounds.observe(50.0, measured_ms)
    assert width_at_50_ms(bounds) > before


def test_what_measurements_have_in_common_moves_predictions() -> None:
    bounds = Recalibration(held_out(), LEVEL)
    assert bounds.moved(np.array([50.0]))[0] == 50.0
    moved_ms = []
    for _ in range(100):
        bounds.observe(50.0, 52.0)
        moved_ms.append(float(bounds.moved(np.array([50.0]))[0]))
    assert moved_ms == sorted(moved_ms)
    assert 50.0 < moved_ms[0] < 50.5
    assert 51.8 < moved_ms[-1] < 52.0


def test_one_wrong_measurement_among_many_moves_nothing() -> None:
    bounds = Recalibration(held_out(), LEVEL)
    for measured_ms in (49.0, 50.0, 500.0, 51.0, 50.0):
        bounds.observe(50.0, measured_ms)
    assert bounds.moved(np.array([50.0]))[0] == 50.0


def test_networks_that_are_predicted_better_have_narrower_bounds_that_hold() -> None:
    bounds = Recalibration(held_out(spread=0.05), LEVEL)
    before = width_at_50_ms(bounds)
    misses_over(bounds, 100, 0.05, 0.02, seed=1)
    assert width_at_50_ms(bounds) < 0.6 * before
    misses, said = misses_over(bounds, 300, 0.05, 0.02, seed=2)
    assert said == []
    assert misses <= 0.1 * 300


def test_a_few_lucky_measurements_narrow_nothing() -> None:
    bounds = Recalibration(held_out(), LEVEL)
    before = width_at_50_ms(bounds)
    for _ in range(10):
        bounds.observe(50.0, 50.0)
        assert width_at_50_ms(bounds) > 0.5 * before


def test_each_end_of_an_estimate_has_its_own_width() -> None:
    errors = np.tile([-0.02, 0.1], 100)
    [estimate] = Recalibration(Calibration((50.0,) * 200, tuple(errors)), 0.9).estimates(np.array([50.0]))
    assert estimate.lower_ms == pytest.approx(50 * np.exp(-0.02))
    assert estimate.upper_ms == pytest.approx(50 * np.exp(0.1))


def test_many_measurements_narrow_each_side_by_what_it_needs() -> None:
    bounds = Recalibration(Calibration((50.0,) * 200, tuple(np.tile([-0.3, 0.3], 100))), 0.9)
    for log_error in np.tile([-0.02, 0, 0, 0, 0, 0.1, 0, 0, 0, 0], 20).tolist():
        bounds.observe(50.0, 50.0 * float(np.exp(log_error)))
    [estimate] = bounds.estimates(np.array([50.0]))
    assert estimate.lower_ms == pytest.approx(50 * np.exp(-0.02))
    assert estimate.upper_ms == pytest.approx(50 * np.exp(0.1))


def first_rejected_ms(bounds: Recalibration, max_ms: float = 50.0) -> float:
    """The smallest prediction that is rejected, of one in a thousand from half of the budget to twice."""
    predicted_ms = max_ms * np.exp(np.linspace(-0.69, 0.69, 1000))
    over = bounds.over(predicted_ms, max_ms)
    is_rejected = [known is not None for known in over]
    assert is_rejected == sorted(is_rejected), "what takes longer is rejected, too"
    return float(predicted_ms[is_rejected.index(True)])


def test_the_more_networks_crowd_at_the_budget_the_farther_over_it_they_are_measured() -> None:
    wide, crowded = Recalibration(held_out(), LEVEL), Recalibration(held_out(), LEVEL)
    wide.meet((50 * np.exp(np.linspace(-1, 1, 500))).tolist())
    crowded.meet((50 * np.exp(np.linspace(-0.1, 0.1, 500))).tolist())
    assert 50 < first_rejected_ms(wide) < 51
    assert 52 < first_rejected_ms(crowded) < 55


def test_nothing_that_is_predicted_to_keep_the_budget_is_rejected() -> None:
    bounds = Recalibration(held_out(), LEVEL)
    bounds.meet([100.0] * 500)
    for _ in range(100):
        bounds.observe(50.0, 50.0)
    assert first_rejected_ms(bounds) > 50


def test_networks_whose_bounds_are_over_the_budget_are_rejected_whatever_was_met() -> None:
    bounds = Recalibration(held_out(), LEVEL)
    bounds.meet([25.0] * 500)
    below = bounds.widths(np.array([50.0]))[0, 0]
    assert first_rejected_ms(bounds) == pytest.approx(50 * np.exp(below), rel=0.05)


def test_what_is_measured_near_the_budget_decides_how_far_over_it_rejects() -> None:
    met_ms = (50 * np.exp(np.linspace(-0.1, 0.1, 500))).tolist()
    exact, rough, elsewhere = (Recalibration(held_out(), LEVEL) for _ in range(3))
    rng = np.random.default_rng(3)
    for _ in range(60):
        exact.observe(50.0, 50.0 * float(np.exp(rng.normal(0, 0.01))))
        rough.observe(50.0, 50.0 * float(np.exp(rng.normal(0, 0.07))))
        elsewhere.observe(5.0, 5.0 * float(np.exp(rng.normal(0, 0.07))))
    for bounds in (exact, rough, elsewhere):
        bounds.meet(met_ms)
    assert first_rejected_ms(exact) < first_rejected_ms(elsewhere) < first_rejected_ms(rough)


def test_once_they_have_drifted_held_out_networks_do_not_count_in_rejections() -> None:
    bounds = Recalibration(held_out(spread=0.05), LEVEL)
    other = Recalibration(held_out(spread=0.001), LEVEL)
    for known in (bounds, other):
        said = [known.observe(50.0, 50.0 * np.exp(error)) for error in np.tile([-0.3, 0.3], 30)]
        assert any(said)
        known.meet((50 * np.exp(np.linspace(-2, 2, 500))).tolist())
    assert first_rejected_ms(bounds) == first_rejected_ms(other)


def test_met_and_measured_bit_by_bit_or_at_once_reject_alike() -> None:
    bit_by_bit, at_once = Recalibration(held_out(), LEVEL), Recalibration(held_out(), LEVEL)
    rng = np.random.default_rng(4)
    measured = [(float(ms), float(ms * np.exp(rng.normal(0, 0.03)))) for ms in rng.uniform(30, 60, 80)]
    met_ms = rng.uniform(20, 90, 800).tolist()
    for place, (predicted_ms, measured_ms) in enumerate(measured):
        bit_by_bit.meet(met_ms[10 * place : 10 * place + 10])
        bit_by_bit.over(np.array([50.0]), 50.0)
        bit_by_bit.observe(predicted_ms, measured_ms)
    at_once.meet(met_ms)
    for predicted_ms, measured_ms in measured:
        at_once.observe(predicted_ms, measured_ms)
    assert first_rejected_ms(bit_by_bit) == first_rejected_ms(at_once)
