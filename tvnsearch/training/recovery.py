"""A training whose loss is no longer finite goes back once, and on with other batches.

That is what is done to large trainings by hand: Chowdhery et al. 2022 ("PaLM: Scaling Language Modeling with
Pathways", section 5.1) went back to a checkpoint from before each spike of the loss and passed over the
batches that had led to it; the same batches did no harm to other weights. Here the clips come in another
order, in other crops, from the checkpoint on. The learning rate stays: it is the recipe's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tvnsearch.training.checkpoint import Checkpoints, OtherTrainingError, UnreadableCheckpointError
from tvnsearch.training.fitting import Fitting

OTHER_ORDER = 1


def gone_back(
    lost: Fitting, fresh: Callable[[], Fitting], checkpoints: Checkpoints | None, training: str
) -> Fitting:
    """Where a training whose loss is not finite goes on: at its checkpoint, or at its start if there is none.

    The time that is lost stays in its `seconds`, and `set_back` says what happened. All of a team return
    together.
    """
    fitting = fresh()
    try:
        found = checkpoints is not None and checkpoints.read(fitting, training)
    except (OtherTrainingError, UnreadableCheckpointError):
        fitting, found = fresh(), False
    place = f"its checkpoint of iteration {fitting.iterations:,}" if found else "its start"
    fitting.set_back = (
        f"the loss became {lost.losses[-1]} in iteration {lost.iterations:,}: the training went back to "
        f"{place} and on from there with its clips in another order"
    )
    fitting.seconds = lost.seconds
    lost.team.mean(0.0, lost.device)  # rank 0 writes a checkpoint next, which the others have then read
    return fitting


def batch_seed(fitting: Fitting) -> int:
    """What decides the order of the clips and their crops: the recipe's seed, and another after a setback."""
    if fitting.set_back is None:
        return fitting.recipe.seed
    return int(np.random.SeedSequence((fitting.recipe.seed, OTHER_ORDER)).generate_state(1, np.uint64)[0])
