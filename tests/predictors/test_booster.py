from __future__ import annotations

import numpy as np
import pytest

from predictors.booster import LEAVES, train_booster


@pytest.mark.parametrize(("rows", "leaves"), [(2_000, LEAVES[0]), (30_000, LEAVES[1])])
def test_trees_have_more_leaves_where_there_are_more_rows(rows: int, leaves: int) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, 4))
    targets = np.sin(3 * features).sum(axis=1)
    model = train_booster(features, targets, np.ones(rows), ["a", "b", "c", "d"], [], seed=0)
    trees = [line for line in model.splitlines() if line.startswith("num_leaves=")]
    assert max(int(line.partition("=")[2]) for line in trees) == leaves
