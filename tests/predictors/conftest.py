from __future__ import annotations

import pytest

from predictors import LatencyPredictor
from predictors.fit import fit_predictor
from tests.predictors.synthetic_device import FINGERPRINT, profiles


@pytest.fixture(scope="session")
def predictor() -> LatencyPredictor:
    """Fitted to 150 noisy networks of the synthetic device."""
    return fit_predictor(profiles(150, seed=1), FINGERPRINT, seed=0)
