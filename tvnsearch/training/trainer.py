"""The training loop, and the evaluation of what came out of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.loader import evaluation_batches, training_batches
from tvnsearch.genome.genome import Genome, InputSpec
from tvnsearch.network.build import build_network
from tvnsearch.training.metrics import Labels, Logits, Scores, score
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.weights import load_weights, save_weights

EVALUATION_BATCH_SIZE = 32

SGD_MOMENTUM = 0.9


class TrainingProgress(NamedTuple):
    """Where a training is: the share that is done (0 to 1), iterations done, loss of the last batch."""

    share: float
    iteration: int
    loss: float


class TrainingResult(Struct, frozen=True):
    """What a training came to, scored on the validation split.

    `failed` says why a training ended without a usable network; its fitness is 0 then, and there are neither
    scores nor weights. `loss` is that of the training, averaged over its last tenth; None when it failed.
    """

    fitness: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    loss: float | None
    iterations: int
    seconds: float
    failed: str | None = None


def train(
    genome: Genome,
    cache: ClipCache,
    recipe: Recipe,
    weights_path: Path,
    *,
    initial_weights: Path | None = None,
    device: str = "cpu",
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> TrainingResult:
    """Train a genome's network on the train split, write its weights, and score it on the validation split.

    The cache must be prepared. Starts from `initial_weights` of the same genome and classes, if given. On one
    thread of a CPU, and without `recipe.max_seconds`, the same arguments give the same result. The number of
    threads is that of the process (`torch.set_num_threads`).

    A loss that is no longer finite ends the training as failed; it is no error.
    """
    began = time.monotonic()
    dataset = cache.dataset
    with torch.random.fork_rng(devices=[] if device == "cpu" else None):
        torch.manual_seed(recipe.seed)
        network: nn.Module = build_network(genome, len(dataset.classes))
        if initial_weights is not None:
            load_weights(network, initial_weights)
        network.to(device)
        losses = _fit(network, cache, genome.input, recipe, device=device, on_progress=on_progress)
    if math.isfinite(losses[-1]):
        logits, labels = predict(network, cache, dataset.validation, genome.input, device)
        reason = None if np.isfinite(logits).all() else "the network's output is not finite after training"
    else:
        reason = f"the loss became {losses[-1]} in iteration {len(losses)}"
    seconds = time.monotonic() - began
    if reason:
        return TrainingResult(0.0, None, None, None, None, len(losses), seconds, reason)
    save_weights(network, weights_path)
    scores = score(logits, labels)
    last_tenth = losses[-math.ceil(len(losses) / 10) :]
    return TrainingResult(
        scores.fitness,
        scores.top1,
        scores.top5,
        scores.mean_average_precision,
        sum(last_tenth) / len(last_tenth),
        len(losses),
        seconds,
    )


def evaluate(
    network: nn.Module, cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, device: str = "cpu"
) -> Scores:
    """Score a network on clips of the cache's data set, one view a clip: its middle, in whole frames."""
    return score(*predict(network, cache, clips, spec, device))


def predict(
    network: nn.Module, cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, device: str = "cpu"
) -> tuple[Logits, Labels]:
    """Logits (clips, classes) and labels, as `metrics.score` takes them, of the clips that are not broken."""
    network.to(device).eval()
    logits, labels = [], []
    with (
        torch.inference_mode(),
        closing(evaluation_batches(cache, clips, spec, EVALUATION_BATCH_SIZE)) as batches,
    ):
        for batch in batches:
            logits.append(network(batch.clips.to(device)).float().cpu().numpy())
            labels.append(batch.labels.numpy())
    return np.concatenate(logits), np.concatenate(labels)


def _fit(
    network: nn.Module,
    cache: ClipCache,
    spec: InputSpec,
    recipe: Recipe,
    *,
    device: str,
    on_progress: Callable[[TrainingProgress], None] | None,
) -> list[float]:
    """The loss of each iteration; the last is not finite if the training diverged."""
    optimizer = _optimizer(network, recipe)
    losses: list[float] = []
    network.train()
    began = time.monotonic()
    with closing(
        training_batches(cache, cache.dataset.train, spec, recipe.batch_size, recipe.seed)
    ) as batches:
        for batch in batches:
            share = len(losses) / recipe.iterations
            if recipe.max_seconds is not None:
                share = max(share, (time.monotonic() - began) / recipe.max_seconds)
            if losses and share >= 1:
                return losses
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * _learning_rate_factor(share, recipe.warmup_share)
            loss = _loss(network(batch.clips.to(device)), batch.labels.to(device), recipe.label_smoothing)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                return losses
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), recipe.max_gradient_norm)
            optimizer.step()
            if on_progress:
                on_progress(TrainingProgress(min(share, 1.0), len(losses), losses[-1]))
    return losses


def _loss(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    if labels.dim() == 2:
        return functional.binary_cross_entropy_with_logits(logits, labels)
    return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def _learning_rate_factor(share: float, warmup_share: float) -> float:
    """Linear from near 0 to 1 while `share` of the training is below `warmup_share`, then a cosine to 0."""
    if share < warmup_share:
        return max(share, 0.01 * warmup_share) / warmup_share
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup_share) / (1 - warmup_share))))


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay is for the weights of convolutions and linear layers: BatchNorm and biases go without."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=SGD_MOMENTUM, nesterov=True)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)
