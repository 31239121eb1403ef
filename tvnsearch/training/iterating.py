"""The iterations of a training, one after the other: batches, steps, and what is kept and told meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import NamedTuple

import torch

from tvnsearch.data.augmentation import Augmentation
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.loader import Batch, training_batches
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import InputSpec
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.metrics_log import MetricsLog
from tvnsearch.training.recovery import batch_seed
from tvnsearch.training.scoring import Scorer
from tvnsearch.training.stopwatch import Stopwatch


class TrainingProgress(NamedTuple):
    """Where a training is: the share that is done (0 to 1), iterations done, loss of the last batch."""

    share: float
    iteration: int
    loss: float


OnProgress = Callable[[TrainingProgress], None]


class Iterating:
    """What the iterations of a training learn from, and who hears of them; `name` is that of its checkpoints.

    They end when `until_share` of the recipe is done.
    """

    def __init__(
        self,
        cache: ClipCache,
        learnt: Sequence[Clip],
        spec: InputSpec,
        *,
        checkpoints: Checkpoints | None,
        name: str,
        until_share: float,
        watch: Stopwatch,
        scorer: Scorer,
        log: MetricsLog,
        on_progress: OnProgress | None,
    ) -> None:
        self._cache, self._learnt, self._spec = cache, learnt, spec
        self._checkpoints, self._name = checkpoints, name
        self._until_share = until_share
        self._watch, self._scorer, self._log = watch, scorer, log
        self._on_progress = on_progress

    def run(self, fitting: Fitting) -> str | None:
        """Iterate from where `fitting` stands; the reason where that fails before its end.

        Raises UserError when one of a team runs out of memory, and OSError when the disk is full or fails.
        """
        recipe, team = fitting.recipe, fitting.team
        began = self._watch.seconds - fitting.seconds
        self._log.go_on_after(fitting.iterations)
        with closing(self._batches(fitting)) as batches:
            for batch in batches:
                share = fitting.iterations / recipe.iterations
                if recipe.max_seconds is not None:
                    seconds = team.share(self._watch.seconds - began, fitting.device)
                    share = max(share, seconds / recipe.max_seconds)
                if fitting.iterations and share >= self._until_share:
                    break
                try:
                    loss = fitting.step(batch, share)
                except torch.OutOfMemoryError:
                    return _out_of_memory(fitting)
                if fitting.diverged:
                    again = "" if fitting.set_back is None else ", for the second time"
                    return f"the loss became {loss} in iteration {fitting.iterations}{again}"
                fitting.seconds = self._watch.seconds - began
                if team.leads:
                    self._log.iterated(fitting)
                    if self._scorer.is_due(fitting):
                        self._scorer.score(fitting)
                        began = self._watch.seconds - fitting.seconds
                if self._checkpoints is not None and self._checkpoints.due:
                    self._keep(self._checkpoints, fitting)
                if self._on_progress:
                    self._on_progress(TrainingProgress(min(share, 1.0), fitting.iterations, loss))
        if self._checkpoints is not None:
            self._keep(self._checkpoints, fitting)
        return None

    def _batches(self, fitting: Fitting) -> Generator[Batch]:
        recipe, team = fitting.recipe, fitting.team
        return training_batches(
            self._cache,
            self._learnt,
            self._spec,
            _batch_size(fitting),
            batch_seed(fitting),
            Augmentation(
                mirror=recipe.mirror,
                rand_augment_operations=recipe.rand_augment_operations,
                rand_augment_magnitude=recipe.rand_augment_magnitude,
                erasing_share=recipe.erasing_share,
            ),
            first=fitting.iterations,
            rank=team.rank,
            ranks=team.size,
            sampling=recipe.sampling,
            teacher=fitting.objective.teacher_input,
        )

    def _keep(self, checkpoints: Checkpoints, fitting: Fitting) -> None:
        self._log.sync()
        checkpoints.write(fitting, self._name)


def _batch_size(fitting: Fitting) -> int:
    """Clips of a batch that this process of a team gets."""
    return math.ceil(fitting.recipe.batch_size / fitting.team.size)


def _out_of_memory(fitting: Fitting) -> str:
    clips = math.ceil(_batch_size(fitting) / fitting.parts)
    if fitting.team.size > 1:
        raise UserError(
            f"expected a batch of {clips} clips to fit in the memory of {fitting.device}, but it does not; "
            "give the recipe a smaller batch_size, or more processes"
        )
    return f"the memory of {fitting.device} does not hold a batch of {clips} clips"
