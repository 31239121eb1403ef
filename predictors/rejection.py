"""How far over a budget a prediction has to be before it rejects: as near as loses few that keep the budget.

A bound that holds for each network by itself loses hardly any that keep the budget, and lets through many
that are well over it: what counts is the expected share of the lost among those that keep it (conformal risk
control, Angelopoulos et al. 2022), and few networks are near where a search meets none.
"""

from __future__ import annotations

import math

import numpy as np

from predictors.call_table import FloatArray


def chance_to_keep(log_ratios: FloatArray, log_errors: FloatArray) -> FloatArray:
    """The chance of networks to keep a budget that their predictions are ``log_ratios`` over, in logarithms.

    Errors, measured over predicted, are taken to be alike on all of them. As one more that is as far below
    its prediction as the farthest counts what was not seen yet.
    """
    shortfalls = np.sort(-log_errors)
    farthest = shortfalls[-1] if len(shortfalls) else math.inf
    as_far = len(shortfalls) - np.searchsorted(shortfalls, log_ratios, side="left")
    return np.asarray((as_far + (log_ratios <= farthest)) / (len(shortfalls) + 1))


def smallest_rejected(log_ratios: FloatArray, chances: FloatArray, lost_share: float) -> float:
    """The smallest of ``log_ratios`` over a budget that may be rejected together with all larger ones.

    It is the first that leaves no more than ``lost_share`` of the networks that keep the budget on its far
    side, by their ``chances``. What is predicted to keep the budget is never rejected; infinite if none is.
    """
    order = np.argsort(log_ratios)
    ratios = log_ratios[order]
    lost = np.cumsum(chances[order][::-1])[::-1]
    lost = lost[np.searchsorted(ratios, ratios, side="left")]
    allowed = np.flatnonzero((ratios > 0) & (lost <= lost_share * lost.max(initial=0.0)))
    return float(ratios[allowed[0]]) if len(allowed) else math.inf
