"""How good a latency predictor is, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from predictors.evaluation import HeldOutReport


def fit_lines(heldout: HeldOutReport, adapted_from: str | None, origin: str | None) -> list[str]:
    """How it does on networks that it did not learn from, and whether starting from ``origin`` paid."""
    lines = [
        f"predictor on {heldout.networks} held-out networks: "
        f"{100 * heldout.within_5_percent:.0f} % within 5 %, "
        f"{100 * heldout.within_10_percent:.0f} % within 10 %, mean error {heldout.mape_percent:.1f} %, "
        f"rank correlation {heldout.spearman:.3f} (Spearman)"
    ]
    if origin is not None and adapted_from is None:
        lines.append(
            f"starting from {origin} predicted held-out networks no better: the predictor starts from nothing"
        )
    if origin is not None and adapted_from is not None:
        lines.append(
            f"the predictor starts from {origin}, which predicted held-out networks better than from nothing"
        )
    return lines
