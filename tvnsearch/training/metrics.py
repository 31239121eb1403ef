"""Scores of a network from its logits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sklearn.metrics import average_precision_score

Logits = npt.NDArray[np.float32]

Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]
"""Class numbers (clips,), or zeros and ones (clips, classes) where data are multi-label."""


class Scores(Struct, frozen=True):
    """What a network scores on `clips` clips, each figure from 0 to 1.

    Single-label data have `top1` and `top5`, multi-label data `mean_average_precision`; the rest is None.
    """

    clips: int
    top1: float | None = None
    top5: float | None = None
    mean_average_precision: float | None = None

    @property
    def fitness(self) -> float:
        """What a search maximises: top-1 + top-5 (paper, section 2), or the mean average precision."""
        if self.mean_average_precision is not None:
            return self.mean_average_precision
        return (self.top1 or 0.0) + (self.top5 or 0.0)


def top_k(logits: Logits, labels: npt.NDArray[np.int64], k: int) -> float:
    """Share of rows of (clips, classes) whose label is among the k highest logits.

    With fewer than k classes, k is their number. Of equal logits the lower class number is taken first.
    """
    highest = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return float((highest == labels[:, None]).any(axis=1).mean())


def mean_average_precision(logits: Logits, labels: Logits) -> float:
    """Mean of the classes' average precisions; both arrays are (clips, classes), labels 0 or 1.

    A class without a positive clip has no average precision and is left out; without any class it is 0.
    """
    present = labels.any(axis=0)
    if not present.any():
        return 0.0
    return float(average_precision_score(labels[:, present], logits[:, present], average="macro"))


def score(logits: Logits, labels: Labels) -> Scores:
    """Score logits against class numbers (clips,), or zeros and ones (clips, classes) if multi-label."""
    if labels.ndim == 2:
        return Scores(
            len(logits), mean_average_precision=mean_average_precision(logits, labels.astype(np.float32))
        )
    numbers = labels.astype(np.int64)
    return Scores(len(logits), top1=top_k(logits, numbers, 1), top5=top_k(logits, numbers, 5))
