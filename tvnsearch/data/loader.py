"""Batches for a network, read ahead on threads of their own so that the trainer does not wait."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tvnsearch.data.augmentation import Augmentation, random_view
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.sampling import look, normalise
from tvnsearch.data.views import ONE_VIEW, Views, evaluation_views
from tvnsearch.genome.genome import InputSpec

BATCHES_AHEAD = 3
MOST_THREADS = 8

AUGMENTATION = Augmentation()


class Batch(NamedTuple):
    """Clips, float32 (batch, frames, height, width, 3), contiguous, and their labels.

    Labels are class indices, int64 (batch,), or for multi-label data 0 and 1, float32 (batch, classes).
    """

    clips: Tensor
    labels: Tensor


def training_batches(
    cache: ClipCache,
    clips: Sequence[Clip],
    spec: InputSpec,
    batch_size: int,
    seed: int,
    augmentation: Augmentation = AUGMENTATION,
    first: int = 0,
) -> Generator[Batch]:
    """Batches without end: every clip once an epoch in random order, each time another view of it.

    Same seed, same batches. `first` is the number of the batch to begin with (from 0): a training that was
    interrupted goes on as if it had not been. Close the iterator (`contextlib.closing`) to end its threads.
    """
    usable = cache.usable(clips)
    mirrorable = cache.dataset.mirrorable

    def batch(number: int, chosen: Sequence[Clip]) -> Batch:
        rng = np.random.default_rng((seed, number))
        pixels = _empty(len(chosen), spec)
        for place, clip in zip(pixels, chosen, strict=True):
            frames = cache.frames(clip)
            normalise(look(frames, random_view(frames, spec, augmentation, mirrorable, rng), spec), place)
        return Batch(torch.from_numpy(pixels), _labels(cache, chosen))

    orders = _orders(len(usable), batch_size, np.random.default_rng(seed))
    jobs = (
        partial(batch, number, [usable[i] for i in order])
        for number, order in islice(zip(count(), orders), first, None)
    )
    return _read_ahead(jobs)


def evaluation_batches(
    cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, batch_size: int, views: Views = ONE_VIEW
) -> Generator[Batch]:
    """One pass over `clips` in their order, nothing random; by default one view of each: its middle.

    With several `views` (`parse_views("10x3")`) a batch has one label a clip, and the views of its clips one
    after the other, (batch * views.count, ...): `logits.unflatten(0, (-1, views.count))` are those of each
    clip, of which a protocol takes the mean of the softmax, or the maximum. Broken clips are left out.
    """
    usable = cache.usable(clips)

    def batch(chosen: Sequence[Clip]) -> Batch:
        pixels = _empty(len(chosen) * views.count, spec)
        places = iter(pixels)
        for clip in chosen:
            frames = cache.frames(clip)
            for view in evaluation_views(frames, spec, views):
                normalise(look(frames, view, spec), next(places))
        return Batch(torch.from_numpy(pixels), _labels(cache, chosen))

    jobs = (partial(batch, usable[i : i + batch_size]) for i in range(0, len(usable), batch_size))
    return _read_ahead(jobs)


def _orders(clips: int, batch_size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Numbers of the clips of each batch, without end; a new permutation of all whenever one is used up."""
    order: list[int] = []
    while True:
        while len(order) < batch_size:
            order.extend(rng.permutation(clips).tolist())
        yield order[:batch_size]
        order = order[batch_size:]


def _empty(views: int, spec: InputSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.empty((views, spec.frames, spec.height, spec.width, 3), np.float32)


def _labels(cache: ClipCache, clips: Sequence[Clip]) -> Tensor:
    if not cache.dataset.multi_label:
        return torch.tensor([clip.labels[0] for clip in clips])
    labels = torch.zeros(len(clips), len(cache.dataset.classes))
    for row, clip in zip(labels, clips, strict=True):
        row[list(clip.labels)] = 1.0
    return labels


def _read_ahead(jobs: Iterator[partial[Batch]]) -> Generator[Batch]:
    """What the jobs give, in order, some of them done on other threads before they are used."""
    threads = min(MOST_THREADS, max(1, (os.cpu_count() or 1) // 2))
    ahead: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        while True:
            for job in islice(jobs, max(BATCHES_AHEAD, threads) - len(ahead)):
                ahead.append(pool.submit(job))
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
