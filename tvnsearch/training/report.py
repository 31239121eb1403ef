"""A network's scores in full: with their intervals, class by class, and what it takes for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from sklearn.metrics import confusion_matrix

from tvnsearch.data.dataset import Protocol
from tvnsearch.training.intervals import (
    Interval,
    bootstrap_mean,
    bootstrap_mean_average_precision,
    wilson,
)
from tvnsearch.training.metrics import Labels, Logits, Scores, average_precisions, hits, score


class ClassScore(Struct, frozen=True):
    """One class on the clips that show it: the share named right, or its average precision.

    `score` is None without such a clip. `taken_for` is what its clips are most often taken for by mistake,
    and `mistakes` how often; None and 0 where that never happens, and in multi-label data.
    """

    name: str
    clips: int
    score: float | None
    taken_for: str | None = None
    mistakes: int = 0


class Report(Struct, frozen=True):
    """Scores, the 95 % interval of each by its name, every class, and the confusion matrix.

    `top1` and `top5` have Wilson's intervals; their sum, `fitness`, and `mean_average_precision` a bootstrap
    over clips. `confusion` counts clips by their class (rows) and what they are taken for (columns);
    None in multi-label data.
    """

    scores: Scores
    intervals: dict[str, Interval]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...] | None


def report(logits: Logits, labels: Labels, classes: Sequence[str], protocol: Protocol = "standard") -> Report:
    """Report on logits (clips, classes) and labels, as `metrics.score` takes them."""
    scores = score(logits, labels, protocol)
    if labels.ndim == 2:
        interval = bootstrap_mean_average_precision(logits, labels, protocol)
        precisions = average_precisions(logits, labels, protocol)
        positives = labels.sum(axis=0).astype(int).tolist()
        rows = [
            ClassScore(name, clips, float(precision) if clips else None)
            for name, clips, precision in zip(classes, positives, precisions, strict=True)
        ]
        return Report(scores, {"mean_average_precision": interval}, tuple(rows), None)
    numbers = labels.astype(np.int64)
    matrix = confusion_matrix(numbers, logits.argmax(axis=1), labels=np.arange(len(classes)))
    among = hits(logits, numbers, 1).astype(np.int64) + hits(logits, numbers, 5)
    intervals = {
        "top1": wilson(scores.top1 or 0.0, scores.clips),
        "top5": wilson(scores.top5 or 0.0, scores.clips),
        "fitness": bootstrap_mean(among),
    }
    return Report(
        scores,
        intervals,
        tuple(_class_score(classes, number, row) for number, row in enumerate(matrix.tolist())),
        tuple(tuple(row) for row in matrix.tolist()),
    )


def _class_score(classes: Sequence[str], number: int, row: Sequence[int]) -> ClassScore:
    clips = sum(row)
    wrong = [0 if place == number else count for place, count in enumerate(row)]
    mistakes = max(wrong)
    return ClassScore(
        classes[number],
        clips,
        row[number] / clips if clips else None,
        classes[wrong.index(mistakes)] if mistakes else None,
        mistakes,
    )
