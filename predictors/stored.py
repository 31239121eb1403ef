"""The predictor of a stored device: kept beside its store, and trained again when the tables have changed."""

from __future__ import annotations

import os
from collections.abc import Callable

from latency_db.store import LatencyStore
from predictors.calibration import DEFAULT_LEVEL
from predictors.predictor import LatencyPredictor
from predictors.record import predictor_path, rows_digest
from predictors.transfer import TransferredPrior
from tvnsearch.errors import UserError


def stored_predictor(
    store: LatencyStore, digest: str, say: Callable[[str], None], level: float = DEFAULT_LEVEL, seed: int = 0
) -> LatencyPredictor:
    """The predictor of what ``store`` holds of the device ``digest`` now.

    Where the one that is kept learnt from other rows, is damaged, or comes from another release, or none is
    kept, it is trained, and kept where that can be written; ``say`` is told why. One that was adapted from
    another device is so again.

    Raises:
        UserError: the store holds nothing of the device, or too little.
    """
    held = rows_digest(store.undisturbed(digest))
    path = predictor_path(store.path, digest)
    why, origin = "there is none yet", None
    if path.exists():
        try:
            kept = LatencyPredictor.load(path, level)
        except UserError:
            why = "the one that is kept is damaged, or another release trained it"
        else:
            if kept.record.rows_digest == held:
                return kept
            prior = kept.record.prior
            origin = prior.origin if isinstance(prior, TransferredPrior) else None
            why = "its tables have changed since"
    say(f"training the latency predictor of the device {digest}: {why}")
    from predictors.fit import fit_from_store  # noqa: PLC0415 - LightGBM and SciPy take seconds to import

    trained = fit_from_store(store, digest, seed, origin)
    if os.access(path.parent, os.W_OK):
        trained.save(path)
    else:
        say(f"that predictor is not kept: {path.parent} is read-only here")
    return LatencyPredictor(trained.record, level)
