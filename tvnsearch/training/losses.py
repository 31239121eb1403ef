"""What a training makes smaller: the loss of the labels, weighted, and the distance to a teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tvnsearch.data.dataset import Clip


def label_loss(
    logits: Tensor,
    labels: Tensor,
    multi_label: bool,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """The loss of logits (batch, classes), a mean over the batch.

    One label a clip: cross entropy with class numbers (batch,), or with shares of the classes
    (batch, classes), the term of each class times its weight; a clip counts by that, so that batches of any
    composition, and halves of them, add up. Any number: binary cross entropy with 0 to 1 (batch, classes), of
    which the weights multiply the positive part.
    """
    if multi_label:
        return functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=class_weights)
    if class_weights is None:
        return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    total = functional.cross_entropy(
        logits, labels, class_weights, reduction="sum", label_smoothing=label_smoothing
    )
    return total / len(labels)


def inverse_frequencies(clips: Sequence[Clip], classes: int, multi_label: bool) -> Tensor:
    """The weight of each class, float32 (classes,), that makes all of them count alike.

    One label a clip: clips / (classes that any shows * clips of the class), the mean of which over the clips
    is 1. Any number: the clips that do not show the class for one that does (torch's advice for its
    `pos_weight`). 1 for a class that no clip shows.
    """
    shown = Counter(label for clip in clips for label in clip.labels)
    weights = torch.ones(classes)
    for label, count in shown.items():
        weights[label] = (len(clips) - count) / count if multi_label else len(clips) / (len(shown) * count)
    return weights


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, temperature: float, multi_label: bool
) -> Tensor:
    """How far logits (batch, classes) are from a teacher's, both divided by `temperature`.

    The Kullback-Leibler divergence of the softmaxes, a mean over the batch, times the square of the
    temperature, so that its gradients stay as large (Hinton et al. 2015, "Distilling the knowledge in a
    neural network", section 2). Of multi-label data, that of each class's two outcomes, a mean over the
    classes as well.
    """
    ours, theirs = logits / temperature, teacher_logits / temperature
    if multi_label:
        # Two outcomes are a softmax over (logit, 0).
        ours = torch.stack((ours, torch.zeros_like(ours)), dim=-1).flatten(0, 1)
        theirs = torch.stack((theirs, torch.zeros_like(theirs)), dim=-1).flatten(0, 1)
    divergence = functional.kl_div(
        ours.log_softmax(-1), theirs.log_softmax(-1), reduction="batchmean", log_target=True
    )
    return divergence * temperature**2
