"""All that a recipe makes a network smaller in: the loss of its labels, and what is added to that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.loader import Batch
from tvnsearch.genome.genome import InputSpec
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.training.losses import distillation_loss, inverse_frequencies, label_loss
from tvnsearch.training.mixing import mixed
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.smoothing import Smoothing, smoothed_place
from tvnsearch.training.teacher import Teacher, load_teacher


class Objective:
    """What the steps of a training make smaller, on the device of its network.

    Without a teacher and class weights it needs nothing but the recipe; `teacher_input` is what a teacher
    looks at, None where there is none.
    """

    def __init__(
        self,
        network: TinyVideoNetwork,
        recipe: Recipe,
        class_weights: Tensor | None = None,
        teacher: TinyVideoNetwork | None = None,
        teacher_input: InputSpec | None = None,
    ) -> None:
        self.teacher_input = teacher_input
        self._classes = network.trace.head.out_shape.channels
        self._recipe = recipe
        self._class_weights = class_weights
        self._teacher = teacher
        place = smoothed_place(network.trace, recipe.grw_frames) if recipe.grw_weight else None
        self._smoothing = None if place is None else Smoothing(network, place, recipe.grw_velocity)

    def mixed(self, batch: Batch, iteration: int, rank: int) -> Batch:
        """The batch that an iteration learns from."""
        return mixed(batch, self._classes, self._recipe, iteration, rank)

    def watching(self) -> AbstractContextManager[None]:
        """While the network is called, so that what it makes of the frames is known to `loss`."""
        return nullcontext() if self._smoothing is None else self._smoothing.watching()

    def teacher_logits(self, teacher_clips: Tensor | None) -> Tensor | None:
        """What the teacher says of its clips, None where there is none."""
        if self._teacher is None or teacher_clips is None:
            return None
        # What is packed for the processor computes in float32.
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            logits: Tensor = self._teacher(teacher_clips)
        return logits.float()

    def loss(
        self, logits: Tensor, labels: Tensor, multi_label: bool, teacher_logits: Tensor | None = None
    ) -> Tensor:
        """The loss of float32 logits (batch, classes) that were computed while `watching`."""
        recipe = self._recipe
        loss = label_loss(logits, labels, multi_label, recipe.label_smoothing, self._class_weights)
        if teacher_logits is not None:
            taught = distillation_loss(logits, teacher_logits, recipe.teacher_temperature, multi_label)
            loss = (1 - recipe.teacher_weight) * loss + recipe.teacher_weight * taught
        if self._smoothing is not None:
            loss = loss + recipe.grw_weight * self._smoothing.loss()
        return loss


def open_objective(
    network: TinyVideoNetwork,
    recipe: Recipe,
    dataset: Dataset,
    learnt: Sequence[Clip],
    teacher: Teacher | None,
    device: str,
) -> Objective:
    """The objective of a training on the clips of a data set that are learnt.

    Raises UserError when the teacher's weights are not there or do not fit.
    """
    classes = len(dataset.classes)
    weights = None
    if recipe.class_weights == "inverse_frequency":
        weights = inverse_frequencies(learnt, classes, dataset.multi_label).to(device)
    if teacher is None:
        return Objective(network, recipe, weights)
    known = load_teacher(teacher, classes, device)
    return Objective(network, recipe, weights, known, teacher.genome.input)
