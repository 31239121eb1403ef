from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tvnsearch.training.metrics import (
    Scores,
    average_precisions,
    mean_average_precision,
    mean_scores,
    score,
    top_k,
)

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


def charades_script(scores, positives):
    """The maths of the data set's own script, a clip at a time: AP of each class, None without a positive."""
    precisions = []
    for c in range(scores.shape[1]):
        keyed = [
            (-math.inf if not positives[clip].any() else scores[clip, c], clip) for clip in range(len(scores))
        ]
        order = [clip for _, clip in sorted(keyed, key=lambda pair: -pair[0])]
        right = wrong = 0
        total = 0.0
        for clip in order:
            if positives[clip, c]:
                right += 1
                total += right / (right + wrong)
            else:
                wrong += 1
        precisions.append(total / right if right else None)
    return precisions


@given(shapes, st.data())
def test_charades_is_scored_as_by_its_script(shape, data):
    """Few distinct scores, so that there are ties, and clips of no class."""
    logits = data.draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([-2.0, 0.0, 0.5, 3.0])))
    labels = data.draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.0, 1.0])))
    expected = charades_script(logits, labels)
    found = average_precisions(logits, labels, "charades")
    assert [None if math.isnan(each) else each for each in found] == pytest.approx(expected)
    known = [each for each in expected if each is not None]
    assert mean_average_precision(logits, labels, "charades") == pytest.approx(
        np.mean(known) if known else 0.0
    )


def test_videos_of_no_action_come_last_for_charades_alone():
    logits = np.array([[3.0], [2.0], [1.0]], np.float32)
    labels = np.array([[0.0], [1.0], [0.0]], np.float32)
    assert average_precisions(logits, labels).tolist() == [0.5]
    assert average_precisions(logits, labels, "charades").tolist() == [1.0]
    assert score(logits, labels, "charades").fitness == 1.0


def test_the_mean_over_splits():
    splits = [Scores(10, top1=0.5, top5=0.9), Scores(20, top1=0.6, top5=0.9), Scores(30, top1=0.7, top5=1.0)]
    mean = mean_scores(splits)
    assert (mean.clips, mean.top1, mean.mean_average_precision) == (60, pytest.approx(0.6), None)
    assert mean.fitness == pytest.approx(0.6 + 2.8 / 3)


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
