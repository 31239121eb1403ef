"""What a trained network makes of clips that it did not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor, nn

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.loader import evaluation_batches
from tvnsearch.data.views import ONE_VIEW, Views
from tvnsearch.genome.genome import InputSpec
from tvnsearch.network import TinyVideoNetwork, deployed_on_processor
from tvnsearch.training.metrics import Labels, Logits, Scores, score

EVALUATION_BATCH_SIZE = 32
"""Clips of a batch, in one view each; of several views, so many in all."""

Progress = Callable[[int, int], None]


def evaluate(
    network: nn.Module,
    cache: ClipCache,
    clips: Sequence[Clip],
    spec: InputSpec,
    device: str = "cpu",
    views: Views = ONE_VIEW,
    dtype: torch.dtype = torch.float32,
) -> Scores:
    """Score a network on clips of the cache's data set, by that data set's protocol.

    By default in one view a clip: its middle, in whole frames.
    """
    return score(*predict(network, cache, clips, spec, device, views, dtype=dtype), cache.dataset.protocol)


def predict(
    network: nn.Module,
    cache: ClipCache,
    clips: Sequence[Clip],
    spec: InputSpec,
    device: str = "cpu",
    views: Views = ONE_VIEW,
    on_progress: Progress | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Logits, Labels]:
    """Logits (clips, classes) and labels, as `metrics.score` takes them, of the clips that are not broken.

    The views of a clip are pooled as `pool_views` says. Progress is (clips done, clips in all). On the
    processor a network of ours runs as it is deployed and timed, in `dtype`; elsewhere in float32.
    """
    network.to(device).eval()
    takes = torch.float32
    if device == "cpu" and isinstance(network, TinyVideoNetwork):
        network, takes = deployed_on_processor(network, dtype), dtype
    logits, labels, done = [], [], 0
    batch_size = max(1, EVALUATION_BATCH_SIZE // views.count)
    with (
        torch.inference_mode(),
        closing(evaluation_batches(cache, clips, spec, batch_size, views)) as batches,
    ):
        for batch in batches:
            seen = network(batch.clips.to(device, takes)).float().unflatten(0, (-1, views.count))
            logits.append(pool_views(seen, cache.dataset.multi_label).cpu().numpy())
            labels.append(batch.labels.numpy())
            done += len(batch.labels)
            if on_progress:
                on_progress(done, len(clips))
    return np.concatenate(logits), np.concatenate(labels)


def pool_views(logits: Tensor, multi_label: bool) -> Tensor:
    """One row of logits for each clip, from (clips, views, classes).

    With one label a clip, those whose softmax is the mean of the views' softmaxes (the protocol of Kinetics).
    With any number, the largest of the views: what happens in one of them happens in the clip (Charades).
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    if multi_label:
        return logits.amax(dim=1)
    pooled: Tensor = logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])
    return pooled
