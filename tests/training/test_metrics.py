from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tvnsearch.training.metrics import mean_average_precision, score, top_k

shapes = st.tuples(st.integers(1, 12), st.integers(2, 9))
logit_arrays = shapes.flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(-5, 5, width=32), unique=True)
)


def brute_average_precision(scores, positives):
    """Mean, over the positives, of the precision at each of their ranks."""
    ranked = [positive for _, positive in sorted(zip(-scores, positives, strict=True))]
    precisions = [sum(ranked[: rank + 1]) / (rank + 1) for rank, positive in enumerate(ranked) if positive]
    return sum(precisions) / len(precisions)


@given(logit_arrays, st.integers(1, 6), st.data())
def test_top_k_counts_labels_with_fewer_than_k_classes_above(logits, k, data):
    clips, classes = logits.shape
    labels = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=clips, max_size=clips)))
    hits = [sum(row > row[label]) < k for row, label in zip(logits, labels, strict=True)]
    assert top_k(logits, labels, k) == pytest.approx(np.mean(hits))


@given(logit_arrays, st.data())
def test_mean_average_precision_is_the_mean_over_classes_with_positives(logits, data):
    labels = data.draw(hnp.arrays(np.float32, logits.shape, elements=st.sampled_from([0.0, 1.0])))
    present = [c for c in range(logits.shape[1]) if labels[:, c].any()]
    expected = [brute_average_precision(logits[:, c], labels[:, c]) for c in present]
    assert mean_average_precision(logits, labels) == pytest.approx(np.mean(expected) if expected else 0.0)


def test_few_classes_are_all_in_the_top_five():
    scores = score(np.eye(3, dtype=np.float32), np.array([0, 1, 0]))
    assert scores.top1 == pytest.approx(2 / 3)
    assert scores.top5 == 1.0
    assert scores.fitness == pytest.approx(5 / 3)
    assert scores.mean_average_precision is None


def test_multi_label_fitness_is_the_mean_average_precision():
    labels = np.array([[1, 0], [1, 1]], np.float32)
    scores = score(labels, labels)
    assert (scores.clips, scores.top1, scores.mean_average_precision, scores.fitness) == (2, None, 1.0, 1.0)


def test_equal_logits_do_not_count_as_a_hit_for_every_class():
    assert top_k(np.zeros((4, 4), np.float32), np.arange(4), 1) == 0.25
