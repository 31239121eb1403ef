"""Mixup and CutMix: a batch whose clips are mixed in pairs, and their labels with them.

Mixup is of Zhang et al. 2018, "mixup: beyond empirical risk minimization" (section 2), CutMix of Yun et al.
2019, "CutMix: regularization strategy to train strong classifiers with localizable features" (section 3.1).
Both draw one share a batch from Beta(alpha, alpha), and mix each clip with the one before it: batches come in
random order. A box of CutMix is the same in all frames.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tvnsearch.data.loader import Batch
from tvnsearch.training.recipe import Recipe

_STREAM = 1
"""Keeps the draws apart from those of the same batch's views."""


class Box(NamedTuple):
    """A part of a frame, in shares of its height and width."""

    top: float
    left: float
    height: float
    width: float

    def of(self, clips: Tensor) -> tuple[slice, slice]:
        """Its rows and columns in clips (batch, frames, height, width, 3)."""
        height, width = clips.shape[2:4]
        rows = slice(round(self.top * height), round((self.top + self.height) * height))
        return rows, slice(round(self.left * width), round((self.left + self.width) * width))


class Mixture(NamedTuple):
    """How much of itself each clip keeps, 0 to 1; with a `box` what is in it comes from the other clip."""

    share: float
    box: Box | None = None


def mixed(batch: Batch, classes: int, recipe: Recipe, iteration: int, rank: int = 0) -> Batch:
    """A batch as the recipe mixes it in an iteration, the same whenever it is asked for; it stays as it was.

    Its labels are float32 (batch, classes): shares of two clips' labels, of one or any number of classes.
    """
    if not (recipe.mixup_alpha or recipe.cutmix_alpha):
        return batch
    rng = np.random.default_rng((recipe.seed, iteration, rank, _STREAM))
    mixture = draw_mixture(recipe.mixup_alpha, recipe.cutmix_alpha, rng)
    clips, share = mix_clips(batch.clips, mixture)
    teacher = None if batch.teacher_clips is None else mix_clips(batch.teacher_clips, mixture)[0]
    labels = batch.labels
    if labels.dim() == 1:
        labels = functional.one_hot(labels, classes).float()
    return Batch(clips, torch.lerp(labels.roll(1, 0), labels, share), teacher)


def draw_mixture(mixup_alpha: float, cutmix_alpha: float, rng: np.random.Generator) -> Mixture:
    """Draw a share, and a box for CutMix; an alpha of 0 leaves that one out, of two one is drawn."""
    cuts = bool(rng.random() < 0.5) if mixup_alpha and cutmix_alpha else bool(cutmix_alpha)
    if not cuts:
        return Mixture(float(rng.beta(mixup_alpha, mixup_alpha)))
    share = float(rng.beta(cutmix_alpha, cutmix_alpha))
    side = math.sqrt(1 - share)
    row, column = rng.random(2).tolist()
    top, left = max(0.0, row - side / 2), max(0.0, column - side / 2)
    height, width = min(1.0, row + side / 2) - top, min(1.0, column + side / 2) - left
    return Mixture(share, Box(top, left, height, width))


def mix_clips(clips: Tensor, mixture: Mixture) -> tuple[Tensor, float]:
    """Clips, (batch, frames, height, width, 3), each mixed with the one before it, and the share kept of it.

    With a box that is the share of the pixels outside of it, whole ones as they are.
    """
    if mixture.box is None:
        return torch.lerp(clips.roll(1, 0), clips, mixture.share), mixture.share
    rows, columns = mixture.box.of(clips)
    mixed_clips = clips.clone()
    mixed_clips[:, :, rows, columns] = clips.roll(1, 0)[:, :, rows, columns]
    cut = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed_clips, 1 - cut / (clips.shape[2] * clips.shape[3])
