"""Batches for a network, read ahead on threads of their own so that the trainer does not wait."""

from __future__ import annotations

import copy
import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice, repeat
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tvnsearch.data.augmentation import Augmentation, changed, draw_change, random_view
from tvnsearch.data.balancing import balanced_rounds, clips_by_class
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.sampling import look, normalise
from tvnsearch.data.views import ONE_VIEW, Views, evaluation_views
from tvnsearch.genome.genome import InputSpec

BATCHES_AHEAD = 3
MOST_THREADS = 8

AUGMENTATION = Augmentation()


Sampling = Literal["clips", "classes"]
"""What comes equally often in training: every clip, or every class, however many clips it has."""


class Batch(NamedTuple):
    """Clips, float32 (batch, frames, height, width, 3), contiguous, and their labels.

    Labels are class indices, int64 (batch,), or for multi-label data 0 and 1, float32 (batch, classes).
    `teacher_clips` are the same views as a teacher's input has them, None without a teacher.
    """

    clips: Tensor
    labels: Tensor
    teacher_clips: Tensor | None = None

    def to(self, device: str) -> Batch:
        """The batch on another device."""
        teacher = self.teacher_clips
        return Batch(
            self.clips.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            None if teacher is None else teacher.to(device, non_blocking=True),
        )

    def parts(self, most: int) -> list[Batch]:
        """The batch in at most so many parts, in its order."""
        clips, labels = self.clips.chunk(most), self.labels.chunk(most)
        teacher = repeat(None) if self.teacher_clips is None else self.teacher_clips.chunk(most)
        return [Batch(*part) for part in zip(clips, labels, teacher, strict=False)]


def training_batches(
    cache: ClipCache,
    clips: Sequence[Clip],
    spec: InputSpec,
    batch_size: int,
    seed: int,
    augmentation: Augmentation = AUGMENTATION,
    first: int = 0,
    sampling: Sampling = "clips",
    teacher: InputSpec | None = None,
) -> Generator[Batch]:
    """Batches without end: every clip once an epoch in random order, each time another view of it.

    With `sampling` "classes" every class comes equally often instead. With the input of a `teacher` each view
    comes in its frames and resolution as well: of the same part of the frames and, where it looks at more or
    less of the time, about the same moment, with the same changes to the pixels.

    Same seed, same batches. `first` is the number of the batch to begin with (from 0): a training that was
    interrupted goes on as if it had not been. Close the iterator (`contextlib.closing`) to end its threads.
    """
    usable = cache.usable(clips)
    mirrorable = cache.dataset.mirrorable
    inputs = [spec] if teacher is None else [spec, teacher]

    def batch(number: int, chosen: Sequence[Clip]) -> Batch:
        rng = np.random.default_rng((seed, number))
        seen = [_empty(len(chosen), each) for each in inputs]
        for row, clip in enumerate(chosen):
            frames = cache.frames(clip)
            # The same draws make the same view for each input.
            alike = [rng, *(copy.deepcopy(rng) for _ in inputs[1:])]
            views = [
                random_view(frames, each, augmentation, mirrorable, draws)
                for each, draws in zip(inputs, alike, strict=True)
            ]
            change = draw_change(augmentation, rng)
            for each, view, pixels in zip(inputs, views, seen, strict=True):
                normalise(changed(look(frames, view, each), change), pixels[row])
        tensors = [torch.from_numpy(pixels) for pixels in seen]
        return Batch(tensors[0], _labels(cache, chosen), tensors[1] if teacher is not None else None)

    groups = clips_by_class(usable) if sampling == "classes" else None
    orders = _orders(len(usable), batch_size, np.random.default_rng(seed), groups)
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


def _orders(
    clips: int, batch_size: int, rng: np.random.Generator, groups: Sequence[Sequence[int]] | None = None
) -> Iterator[list[int]]:
    """Numbers of the clips of each batch, without end; a new permutation of all whenever one is used up.

    With `groups` of numbers, rounds of one clip of each group take the place of permutations.
    """
    epochs = balanced_rounds(groups, rng) if groups else (rng.permutation(clips).tolist() for _ in count())
    order: list[int] = []
    while True:
        while len(order) < batch_size:
            order.extend(next(epochs))
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
