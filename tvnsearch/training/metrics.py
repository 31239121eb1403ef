"""Scores of a network from its logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sklearn.metrics import average_precision_score

from tvnsearch.data.dataset import Protocol

Floats = npt.NDArray[np.float64]

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


def hits(logits: Logits, labels: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.bool_]:
    """For each row of (clips, classes), whether its label is among the k highest logits.

    With fewer than k classes, k is their number. Of equal logits the lower class number is taken first.
    """
    highest = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return np.asarray((highest == labels[:, None]).any(axis=1))


def top_k(logits: Logits, labels: npt.NDArray[np.int64], k: int) -> float:
    """Share of rows of (clips, classes) whose label is among the k highest logits, as `hits` counts."""
    return float(hits(logits, labels, k).mean())


def average_precisions(logits: Logits, labels: Labels, protocol: Protocol = "standard") -> Floats:
    """Average precision of each class, (classes,), from logits and labels (clips, classes).

    NaN for a class without a positive clip. "standard" is scikit-learn's: clips of equal logits are taken
    together. "charades" is the mean precision at the ranks of the positives, as in that data set's script,
    where clips that show no class at all come last in every ranking.
    """
    if protocol == "charades":
        return _charades_average_precisions(logits, labels)
    precisions = np.full(labels.shape[1], np.nan)
    present = labels.any(axis=0)
    if present.any():
        precisions[present] = average_precision_score(labels[:, present], logits[:, present], average=None)
    return precisions


def ranked(logits: Logits, labels: Labels, protocol: Protocol) -> npt.NDArray[np.int64]:
    """For each class, a column, the numbers of the clips from the highest logit to the lowest."""
    empty_last = protocol == "charades"
    keys = np.where(labels.any(axis=1, keepdims=True), logits, -np.inf) if empty_last else logits
    return np.argsort(-keys, axis=0, kind="stable")


def _charades_average_precisions(logits: Logits, labels: Labels) -> Floats:
    positive = np.take_along_axis(labels, ranked(logits, labels, "charades"), axis=0).astype(np.float64)
    precision = np.cumsum(positive, axis=0) / np.arange(1, len(labels) + 1)[:, None]
    with np.errstate(invalid="ignore"):
        return np.asarray((precision * positive).sum(axis=0) / positive.sum(axis=0))


def mean_average_precision(logits: Logits, labels: Labels, protocol: Protocol = "standard") -> float:
    """Mean of the classes' average precisions; both arrays are (clips, classes), labels 0 or 1.

    A class without a positive clip has no average precision and is left out; without any class it is 0.
    """
    precisions = average_precisions(logits, labels, protocol)
    return 0.0 if np.isnan(precisions).all() else float(np.nanmean(precisions))


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of scores of one kind, over the three splits of HMDB51 or UCF101, say; clips are added."""

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if len(known) == len(values) else None

    return Scores(
        sum(each.clips for each in scores),
        mean([each.top1 for each in scores]),
        mean([each.top5 for each in scores]),
        mean([each.mean_average_precision for each in scores]),
    )


def score(logits: Logits, labels: Labels, protocol: Protocol = "standard") -> Scores:
    """Score logits against class numbers (clips,), or zeros and ones (clips, classes) if multi-label."""
    if labels.ndim == 2:
        positives = labels.astype(np.float32)
        return Scores(len(logits), mean_average_precision=mean_average_precision(logits, positives, protocol))
    numbers = labels.astype(np.int64)
    return Scores(len(logits), top1=top_k(logits, numbers, 1), top5=top_k(logits, numbers, 5))
