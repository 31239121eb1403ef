"""Losses against plain numpy and torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tvnsearch.data.dataset import Clip
from tvnsearch.training.losses import distillation_loss, inverse_frequencies, label_loss

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0], [-0.5, 0.5, 3.0], [1.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 1, 0, 2])
SHARES = torch.tensor([[1.0, 0, 0], [0.3, 0.7, 0], [0, 0.5, 0.5], [0.2, 0.2, 0.6]])
POSITIVES = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1], [0.4, 0, 0]])
WEIGHTS = torch.tensor([0.5, 2.0, 1.5])


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_without_weights_the_losses_are_torchs():
    plain = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.1)
    assert torch.equal(label_loss(LOGITS, LABELS, False, 0.1), plain)
    multi = functional.binary_cross_entropy_with_logits(LOGITS, POSITIVES)
    assert torch.equal(label_loss(LOGITS, POSITIVES, True, 0.1), multi)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("labels", [LABELS, SHARES])
def test_each_class_weighs_what_it_should(labels, smoothing):
    shares = labels.numpy() if labels.dim() == 2 else np.eye(3)[labels.numpy()]
    smoothed = (1 - smoothing) * shares + smoothing / 3
    terms = smoothed * WEIGHTS.numpy() * -np.log(softmax(LOGITS.numpy()))
    loss = label_loss(LOGITS, labels, False, smoothing, WEIGHTS)
    assert loss.item() == pytest.approx(terms.sum(axis=1).mean(), rel=1e-5)


def test_positives_of_a_class_weigh_what_they_should():
    chances = 1 / (1 + np.exp(-LOGITS.numpy()))
    positives = POSITIVES.numpy()
    terms = -WEIGHTS.numpy() * positives * np.log(chances) - (1 - positives) * np.log(1 - chances)
    loss = label_loss(LOGITS, POSITIVES, True, 0.0, WEIGHTS)
    assert loss.item() == pytest.approx(terms.mean(), rel=1e-5)


def test_parts_of_a_batch_add_up():
    whole = label_loss(LOGITS, LABELS, False, 0.1, WEIGHTS)
    parts = [label_loss(LOGITS[i : i + 1], LABELS[i : i + 1], False, 0.1, WEIGHTS) for i in range(4)]
    torch.testing.assert_close(sum(parts) / 4, whole)


def clips(*labels):
    return [Clip(Path(f"{number}.mp4"), tuple(shown)) for number, shown in enumerate(labels)]


def test_rare_classes_weigh_as_much_in_all_as_frequent_ones():
    """Three clips of one class, one of another, none of the third."""
    weights = inverse_frequencies(clips([0], [0], [1], [0]), 3, multi_label=False)
    torch.testing.assert_close(weights, torch.tensor([4 / 6, 2.0, 1.0]))
    multi = inverse_frequencies(clips([0], [0, 1], [], [0]), 3, multi_label=True)
    torch.testing.assert_close(multi, torch.tensor([1 / 3, 3.0, 1.0]))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_distance_to_a_teacher_is_kullback_and_leiblers(temperature):
    teacher = LOGITS.flip(0) * 1.5
    ours, theirs = (softmax(logits.numpy() / temperature) for logits in (LOGITS, teacher))
    divergence = (theirs * np.log(theirs / ours)).sum(axis=1).mean()
    loss = distillation_loss(LOGITS, teacher, temperature, multi_label=False)
    assert loss.item() == pytest.approx(temperature**2 * divergence, rel=1e-4)

    ours, theirs = (1 / (1 + np.exp(-logits.numpy() / temperature)) for logits in (LOGITS, teacher))
    divergence = (theirs * np.log(theirs / ours) + (1 - theirs) * np.log((1 - theirs) / (1 - ours))).mean()
    loss = distillation_loss(LOGITS, teacher, temperature, multi_label=True)
    assert loss.item() == pytest.approx(temperature**2 * divergence, rel=1e-4)


def test_who_says_what_the_teacher_says_has_nothing_to_learn():
    for multi_label in (False, True):
        assert distillation_loss(LOGITS, LOGITS, 2.0, multi_label).item() == pytest.approx(0.0, abs=1e-6)
