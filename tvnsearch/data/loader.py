"""Batches for a network, read ahead on threads of their own so that the trainer does not wait."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, count, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tvnsearch.cores import training_threads, usable_threads
from tvnsearch.data.augmentation import Augmentation, random_view
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.sampling import View, look, normalise, resize
from tvnsearch.data.stored import Frames
from tvnsearch.data.views import ONE_VIEW, Views, evaluation_views
from tvnsearch.genome.genome import InputSpec

BATCHES_AHEAD = 3
BYTES_AHEAD = 256 * 2**20
"""Of pixels that are read ahead, as uint8; one batch is read ahead whatever its size."""

MOST_THREADS = 8

AUGMENTATION = Augmentation()

ORDER, VIEW = 0, 1
"""What is drawn: the order of an epoch, the view of a clip."""

Pixels = npt.NDArray[np.uint8]
"""The views of a clip: uint8 (views, frames, height, width, 3)."""


class Batch(NamedTuple):
    """Clips, float32 (batch, frames, height, width, 3), contiguous, and their labels.

    Labels are class indices, int64 (batch,), or for multi-label data 0 and 1, float32 (batch, classes).
    """

    clips: Tensor
    labels: Tensor


class _Job(NamedTuple):
    """A batch to read: of each clip a function that gives its views, and all labels."""

    reads: Sequence[Callable[[], Pixels]]
    labels: Tensor


class _Reading(NamedTuple):
    """A batch that is read: the views of each clip, uint8, and all labels."""

    clips: list[Future[Pixels]]
    labels: Tensor


class _Converting(NamedTuple):
    """A batch that is whole when all its parts are done."""

    batch: Batch
    parts: list[Future[None]]


def training_batches(
    cache: ClipCache,
    clips: Sequence[Clip],
    spec: InputSpec,
    batch_size: int,
    seed: int,
    augmentation: Augmentation = AUGMENTATION,
    first: int = 0,
    rank: int = 0,
    ranks: int = 1,
) -> Generator[Batch]:
    """Batches without end: every clip once an epoch in random order, each time another view of it.

    Same seed, same batches. `first` is the number of the batch to begin with (from 0): a training that was
    interrupted goes on as if it had not been. Where `ranks` processes train together, all give the same
    clips and seed: each gets its part of what one process with a batch of all their sizes would get. Close
    the iterator (`contextlib.closing`) to end its threads.
    """
    usable = cache.usable(clips)
    mirrorable = cache.dataset.mirrorable
    order = _order(len(usable), np.random.default_rng((seed, ORDER)))
    drawn = islice(enumerate(order), first * batch_size * ranks, None)

    def read(place: int, clip: Clip) -> Pixels:
        rng = np.random.default_rng((seed, VIEW, place))
        frames = cache.frames(clip)
        return look(frames, random_view(frames, spec, augmentation, mirrorable, rng), spec)[None]

    def jobs() -> Iterator[_Job]:
        while True:
            of_all_ranks = list(islice(drawn, batch_size * ranks))
            of_this = of_all_ranks[rank * batch_size :][:batch_size]
            chosen = {place: usable[number] for place, number in of_this}
            reads = [partial(read, place, clip) for place, clip in chosen.items()]
            yield _Job(reads, _labels(cache, list(chosen.values())))

    return _read_ahead(jobs(), spec, batch_size)


def evaluation_batches(
    cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, batch_size: int, views: Views = ONE_VIEW
) -> Generator[Batch]:
    """One pass over `clips` in their order, nothing random; by default one view of each: its middle.

    With several `views` (`parse_views("10x3")`) a batch has one label a clip, and the views of its clips one
    after the other, (batch * views.count, ...): `logits.unflatten(0, (-1, views.count))` are those of each
    clip, of which a protocol takes the mean of the softmax, or the maximum. Broken clips are left out.
    """
    usable = cache.usable(clips)

    def read(clip: Clip) -> Pixels:
        frames = cache.frames(clip)
        return _looks(frames, evaluation_views(frames, spec, views), spec)

    def job(begin: int) -> _Job:
        chosen = usable[begin : begin + batch_size]
        return _Job([partial(read, clip) for clip in chosen], _labels(cache, chosen))

    return _read_ahead(map(job, range(0, len(usable), batch_size)), spec, batch_size, views.count)


def reading_threads() -> int:
    """How many threads read clips: half of this process's share of the cores; others train here too."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    # torchrun tells several processes to use one thread each, which is no share of anything.
    share = training_threads() if processes == 1 else usable_threads() // processes
    return min(MOST_THREADS, max(1, share // 2))


def _order(clips: int, rng: np.random.Generator) -> Iterator[int]:
    """Numbers of clips, without end: one permutation of all after the other."""
    return chain.from_iterable(rng.permutation(clips).tolist() for _ in count())


def _looks(frames: Frames, views: Sequence[View], spec: InputSpec) -> Pixels:
    """Views of a clip that are not mirrored. What several of them show is read once."""
    if len(views) == 1:
        return look(frames, views[0], spec)[None]
    numbers = np.unique([view.indices for view in views])
    pixels = frames.take(numbers)
    seen = []
    for view in views:
        (top, left, height, width), places = view.crop, np.searchsorted(numbers, view.indices)
        seen.append(resize(pixels[places, top : top + height, left : left + width], spec))
    return np.stack(seen)


def _labels(cache: ClipCache, clips: Sequence[Clip]) -> Tensor:
    if not cache.dataset.multi_label:
        return torch.tensor([clip.labels[0] for clip in clips])
    labels = torch.zeros(len(clips), len(cache.dataset.classes))
    for row, clip in zip(labels, clips, strict=True):
        row[list(clip.labels)] = 1.0
    return labels


def _read_ahead(
    jobs: Iterator[_Job], spec: InputSpec, batch_size: int, views_a_clip: int = 1
) -> Generator[Batch]:
    """The batches of the jobs, in order, each of `batch_size` clips at most, read before they are used.

    What is read ahead stays uint8. Only the batch after the one that is used is made float32, which has four
    times the bytes, on threads as well.
    """
    shape = (spec.frames, spec.height, spec.width, 3)
    batch_bytes = batch_size * views_a_clip * math.prod(shape)
    most = max(1, min(BATCHES_AHEAD, BYTES_AHEAD // batch_bytes))
    threads = reading_threads()
    readers, converters = ThreadPoolExecutor(threads), ThreadPoolExecutor(threads)
    ahead: deque[_Reading] = deque()

    def next_batch() -> _Converting | None:
        for job in islice(jobs, most - len(ahead)):
            ahead.append(_Reading([readers.submit(read) for read in job.reads], job.labels))
        if not ahead:
            return None
        reading = ahead.popleft()
        pixels = np.empty((len(reading.clips), views_a_clip, *shape), np.float32)
        parts = [
            converters.submit(_convert, views, place)
            for views, place in zip(reading.clips, pixels, strict=True)
        ]
        return _Converting(Batch(torch.from_numpy(pixels.reshape(-1, *shape)), reading.labels), parts)

    try:
        converting = next_batch()
        while converting:
            for part in converting.parts:
                part.result()
            batch = converting.batch
            converting = next_batch()
            yield batch
            del batch  # before there is room made for another
    finally:
        readers.shutdown(cancel_futures=True)
        converters.shutdown(cancel_futures=True)


def _convert(views: Future[Pixels], place: npt.NDArray[np.float32]) -> None:
    """Put the views of a clip, as soon as they are read, into their place in a batch."""
    normalise(views.result(), place)
