"""One training, from fresh weights or a checkpoint to scored weights on disk."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.loader import training_batches
from tvnsearch.errors import UserError
from tvnsearch.files import as_text
from tvnsearch.genome.genome import Genome, InputSpec
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints, OtherTrainingError, UnreadableCheckpointError
from tvnsearch.training.evaluation import predict
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.metrics import score
from tvnsearch.training.recipe import Precision, Recipe
from tvnsearch.training.stopwatch import Stopwatch
from tvnsearch.training.team import ALONE, Team
from tvnsearch.training.weights import load_weights, save_weights


class TrainingProgress(NamedTuple):
    """Where a training is: the share that is done (0 to 1), iterations done, loss of the last batch."""

    share: float
    iteration: int
    loss: float


OnProgress = Callable[[TrainingProgress], None]


class TrainingResult(Struct, frozen=True):
    """What a training came to, scored on the validation split.

    `failed` says why a training ended without a usable network; its fitness is 0 then, and there are neither
    scores nor weights. `loss` is that of the training, averaged over its last tenth; None when it failed.
    `precision` is what it computed in, and `parts` in how many parts each batch, for want of memory.
    `inherited_share` is the share of the parameters that it began with from a parent, None if all were fresh.
    `begun_afresh` says why it did not go on from the checkpoint that was there, None where it did.
    `seconds` is what all of it took, `fitting_seconds` what its iterations did. The time for which the
    process was stopped is in neither, but in `stood_still_seconds`, that of the latest call only.
    """

    fitness: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    loss: float | None
    iterations: int
    seconds: float
    failed: str | None = None
    precision: Precision = "float32"
    parts: int = 1
    inherited_share: float | None = None
    fitting_seconds: float = 0.0
    stood_still_seconds: float = 0.0
    begun_afresh: str | None = None


def train(
    genome: Genome,
    cache: ClipCache,
    recipe: Recipe,
    weights_path: Path,
    *,
    initial_weights: Path | None = None,
    checkpoints: Checkpoints | None = None,
    until_share: float = 1.0,
    replace_others: bool = False,
    device: str = "cpu",
    team: Team = ALONE,
    on_progress: OnProgress | None = None,
) -> TrainingResult:
    """Train a genome's network on the train split, write its weights, and score it on the validation split.

    The cache must be prepared. Starts from `initial_weights` of the same genome and classes, if given. With
    `checkpoints` it goes on from the one that is there, and the last one stays: clear it
    (`Checkpoints.clear`) once the result is kept. Where that cannot be read it begins afresh, and with
    `replace_others` also where it is of another training. It ends when `until_share` of it is done, and can
    be gone on with from there with a larger one, to the result of a whole training. On one thread of a CPU,
    and without `recipe.max_seconds`, the same arguments give the same result, however often the training was
    killed and gone on with. The number of threads is that of the process (`torch.set_num_threads`). In a
    `team` rank 0 alone writes and scores.

    A loss that is no longer finite, or a batch whose half does not fit in memory, ends the training as
    failed; it is no error. Raises UserError when the checkpoint is of another training, or when one of a team
    runs out of memory, and OSError when the disk is full or fails.
    """
    before_seconds = 0.0
    with Stopwatch() as watch:
        with torch.random.fork_rng(devices=[] if device == "cpu" else None):
            fitting, begun_afresh = _fresh(genome, cache, recipe, initial_weights, device, team), None
            name = _name(genome, cache, fitting, initial_weights)
            try:
                if checkpoints is not None and checkpoints.read(fitting, name):
                    before_seconds = fitting.seconds
            except (UnreadableCheckpointError, OtherTrainingError) as error:
                if isinstance(error, OtherTrainingError) and not replace_others:
                    raise
                begun_afresh = f"{str(error).partition(';')[0]}: the training begins afresh"
                fitting = _fresh(genome, cache, recipe, initial_weights, device, team)
            writing = checkpoints if team.leads else None
            failed = _fit(fitting, cache, genome.input, writing, name, until_share, watch, on_progress)
        result = TrainingResult(
            fitness=0.0,
            top1=None,
            top5=None,
            mean_average_precision=None,
            loss=None,
            iterations=fitting.iterations,
            seconds=0.0,
            failed=failed,
            precision=fitting.precision,
            parts=fitting.parts,
            fitting_seconds=fitting.seconds,
            begun_afresh=begun_afresh,
        )
        if team.leads:
            if failed is None:
                result = _score(result, fitting, cache, genome.input)
            if result.failed is None:
                save_weights(fitting.result, weights_path)
        return replace(
            result,
            seconds=before_seconds + watch.seconds,
            stood_still_seconds=watch.stood_still_seconds,
        )


def _fresh(
    genome: Genome, cache: ClipCache, recipe: Recipe, initial_weights: Path | None, device: str, team: Team
) -> Fitting:
    """What every training of these begins with, before any checkpoint."""
    torch.manual_seed(recipe.seed)
    network = build_network(genome, len(cache.dataset.classes))
    if initial_weights is not None:
        load_weights(network, initial_weights)
    return Fitting(network, recipe, device, team)


def _fit(
    fitting: Fitting,
    cache: ClipCache,
    spec: InputSpec,
    checkpoints: Checkpoints | None,
    name: str,
    until_share: float,
    watch: Stopwatch,
    on_progress: OnProgress | None,
) -> str | None:
    """Iterate until a share of the recipe is done; the reason where it fails before."""
    recipe, team = fitting.recipe, fitting.team
    clips = cache.usable(cache.dataset.train)[team.rank :: team.size]
    batch_size = math.ceil(recipe.batch_size / team.size)
    began = watch.seconds - fitting.seconds
    with closing(
        training_batches(cache, clips, spec, batch_size, recipe.seed, first=fitting.iterations)
    ) as batches:
        for batch in batches:
            share = fitting.iterations / recipe.iterations
            if recipe.max_seconds is not None:
                seconds = team.share(watch.seconds - began, fitting.device)
                share = max(share, seconds / recipe.max_seconds)
            if fitting.iterations and share >= until_share:
                break
            try:
                loss = fitting.step(batch, share)
            except torch.OutOfMemoryError:
                return _out_of_memory(fitting, math.ceil(batch_size / fitting.parts))
            if not math.isfinite(loss):
                return f"the loss became {loss} in iteration {fitting.iterations}"
            fitting.seconds = watch.seconds - began
            if checkpoints is not None and checkpoints.due:
                checkpoints.write(fitting, name)
            if on_progress:
                on_progress(TrainingProgress(min(share, 1.0), fitting.iterations, loss))
    if checkpoints is not None:
        checkpoints.write(fitting, name)
    return None


def _out_of_memory(fitting: Fitting, clips: int) -> str:
    if fitting.team.size > 1:
        raise UserError(
            f"expected a batch of {clips} clips to fit in the memory of {fitting.device}, but it does not; "
            "give the recipe a smaller batch_size, or more processes"
        )
    return f"the memory of {fitting.device} does not hold a batch of {clips} clips"


def _score(result: TrainingResult, fitting: Fitting, cache: ClipCache, spec: InputSpec) -> TrainingResult:
    logits, labels = predict(fitting.result, cache, cache.dataset.validation, spec, fitting.device)
    if not np.isfinite(logits).all():
        return replace(result, failed="the network's output is not finite after training")
    scores = score(logits, labels, cache.dataset.protocol)
    last_tenth = fitting.losses[-math.ceil(fitting.iterations / 10) :]
    return replace(
        result,
        fitness=scores.fitness,
        top1=scores.top1,
        top5=scores.top5,
        mean_average_precision=scores.mean_average_precision,
        loss=sum(last_tenth) / len(last_tenth),
    )


def _name(genome: Genome, cache: ClipCache, fitting: Fitting, initial_weights: Path | None) -> str:
    """A digest of everything that decides where a training goes from a checkpoint.

    Clips that have moved together are the same ones.
    """
    dataset = cache.dataset
    start = None if initial_weights is None else hashlib.sha256(initial_weights.read_bytes()).hexdigest()
    decisive = (
        genome,
        fitting.recipe,
        fitting.team.size,
        dataset.format,
        dataset.classes,
        [
            (as_text(os.path.relpath(clip.path, dataset.root)), clip.labels, clip.start_s, clip.end_s)
            for clip in cache.usable(dataset.train)
        ],
        cache.resolution,
        start,
    )
    return hashlib.sha256(msgspec.json.encode(decisive)).hexdigest()
