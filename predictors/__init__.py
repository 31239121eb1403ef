"""The latency of networks that nobody has run yet.

Fitting is in :mod:`predictors.fit`, which loads LightGBM, scikit-learn and SciPy; nothing here does.
"""

from predictors.calibration import DEFAULT_LEVEL, Calibration
from predictors.evaluation import HeldOutReport
from predictors.predictor import LatencyPredictor, LayerLatency
from predictors.prior import RooflinePrior
from predictors.record import PredictorRecord, predictor_path

__all__ = [
    "DEFAULT_LEVEL",
    "Calibration",
    "HeldOutReport",
    "LatencyPredictor",
    "LayerLatency",
    "PredictorRecord",
    "RooflinePrior",
    "predictor_path",
]
