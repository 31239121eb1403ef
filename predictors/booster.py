"""LightGBM, as far as this package needs it: trained from arrays to its own text format, and back."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import numpy as np

from predictors.call_table import FloatArray
from tvnsearch.errors import UserError

ROUNDS = 40
LEAVES = (63, 127)
ROWS_A_LEAF = 200
"""Trees grow with the rows, one leaf for so many, between the fewest and the most leaves."""

PARAMETERS = {
    "objective": "huber",
    "alpha": 0.3,
    "learning_rate": 0.2,
    "num_leaves": LEAVES[0],
    "max_depth": 10,
    "min_data_in_leaf": 5,
    "min_data_per_group": 20,
    "feature_fraction": 0.9,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
"""A prediction costs 6.5 ns for each step down a tree: few trees of bounded depth are what makes it quick."""


class Booster:
    """A trained LightGBM model of ``columns`` features, read from its text; predicts on one thread.

    Raises:
        UserError: the text is not a LightGBM model, or one of another number of features.
    """

    def __init__(self, text: str, columns: int) -> None:
        try:
            self._booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise UserError(
                f"expected a LightGBM model in the predictor, but it cannot be read ({error}); "
                f"run `tvnsearch fit` again"
            ) from None
        if self._booster.num_feature() != columns:
            raise UserError(
                f"expected a LightGBM model of {columns} features, "
                f"but this one has {self._booster.num_feature()}; run `tvnsearch fit` again"
            )

    def predict(self, features: FloatArray) -> FloatArray:
        """One value for each row."""
        return np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)


def train_booster(
    features: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    names: Sequence[str],
    categorical: Sequence[str],
    seed: int,
) -> str:
    """Fit ``targets`` by weighted Huber loss (quadratic up to 0.3); the model as text, by the seed."""
    data = lightgbm.Dataset(
        features, targets, weight=weights, feature_name=list(names), categorical_feature=list(categorical)
    )
    leaves = int(np.clip(len(targets) // ROWS_A_LEAF, *LEAVES))
    booster = lightgbm.train({**PARAMETERS, "num_leaves": leaves, "seed": seed}, data, ROUNDS)
    return str(booster.model_to_string())
