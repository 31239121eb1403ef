"""The paper's variants of TVN-1, generated from it (section A.4, tables 5 and 7 to 9)."""

from __future__ import annotations

from collections.abc import Callable

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.scaling import compound_scaled, scaled, with_activation

EN_STEPS = 3
"""The paper does not say how far it scales TVN-1 EN. Three steps come closest to its eightfold latency (305
ms, from 37): they make 6.8 times the MACs, two 4.0 times and four 14.0 times."""

VARIANTS: dict[str, tuple[str, Callable[[Genome], Genome]]] = {
    "tvn-1-8f": ("TVN-1 on 8 frames (table 7).", lambda tvn_1: scaled(tvn_1, frames=8)),
    "tvn-1-16f": ("TVN-1 on 16 frames (table 7).", lambda tvn_1: scaled(tvn_1, frames=16)),
    "tvn-1-2x-res": (
        "TVN-1 with twice the resolution (table 8).",
        lambda tvn_1: scaled(tvn_1, resolution=2),
    ),
    "tvn-1-4x-res": (
        "TVN-1 with four times the resolution (table 8).",
        lambda tvn_1: scaled(tvn_1, resolution=4),
    ),
    "tvn-1-2x-wide": ("TVN-1 with twice the filters (table 8).", lambda tvn_1: scaled(tvn_1, width=2)),
    "tvn-1-4x-wide": ("TVN-1 with four times the filters (table 8).", lambda tvn_1: scaled(tvn_1, width=4)),
    "tvn-1-2x-deep": ("TVN-1 with twice the repeats (table 8).", lambda tvn_1: scaled(tvn_1, depth=2)),
    "tvn-1-4x-deep": ("TVN-1 with four times the repeats (table 8).", lambda tvn_1: scaled(tvn_1, depth=4)),
    "tvn-1-en": (
        f"TVN-1 scaled by EfficientNet's coefficients to the power {EN_STEPS} (table 9). The paper prints no "
        f"power; {EN_STEPS} comes closest to its eightfold latency, with 6.8 times the MACs.",
        lambda tvn_1: compound_scaled(tvn_1, EN_STEPS),
    ),
    "tvn-1-hswish": (
        "TVN-1 with hard-swish for every ReLU but those inside squeeze-and-excitation (table 5).",
        lambda tvn_1: with_activation(tvn_1, "relu", "hswish"),
    ),
}
"""By name: what it is, and how it is made of TVN-1."""
