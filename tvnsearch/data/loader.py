"""Batches for a network, read ahead on threads of their own so that the trainer does not wait."""

from __future__ import annotations

import copy
import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, count, islice, repeat
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tvnsearch.cores import training_threads, usable_threads
from tvnsearch.data.augmentation import Augmentation, changed, draw_change, random_view
from tvnsearch.data.balancing import balanced_rounds, clips_by_class
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

Seen = tuple[Pixels, ...]
"""The same views for each of the inputs that look at them."""


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


class _Job(NamedTuple):
    """A batch to read: of each clip a function that gives its views, and all labels."""

    reads: Sequence[Callable[[], Seen]]
    labels: Tensor


class _Reading(NamedTuple):
    """A batch that is read: the views of each clip, uint8, and all labels."""

    clips: list[Future[Seen]]
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
    sampling: Sampling = "clips",
    teacher: InputSpec | None = None,
) -> Generator[Batch]:
    """Batches without end: every clip once an epoch in random order, each time another view of it.

    With `sampling` "classes" every class comes equally often instead. With the input of a `teacher` each view
    comes in its frames and resolution as well: of the same part of the frames and, where it looks at more or
    less of the time, about the same moment, with the same changes to the pixels.

    Same seed, same batches. `first` is the number of the batch to begin with (from 0): a training that was
    interrupted goes on as if it had not been. Where `ranks` processes train together, all give the same
    clips and seed: each gets its part of what one process with a batch of all their sizes would get. Close
    the iterator (`contextlib.closing`) to end its threads.
    """
    usable = cache.usable(clips)
    mirrorable = cache.dataset.mirrorable
    inputs = (spec,) if teacher is None else (spec, teacher)
    groups = clips_by_class(usable) if sampling == "classes" else None
    order = _order(len(usable), np.random.default_rng((seed, ORDER)), groups)
    drawn = islice(enumerate(order), first * batch_size * ranks, None)

    def read(place: int, clip: Clip) -> Seen:
        rng = np.random.default_rng((seed, VIEW, place))
        frames = cache.frames(clip)
        # The same draws make the same view for each input.
        alike = [rng, *(copy.deepcopy(rng) for _ in inputs[1:])]
        views = [
            random_view(frames, each, augmentation, mirrorable, draws)
            for each, draws in zip(inputs, alike, strict=True)
        ]
        change = draw_change(augmentation, rng)
        return tuple(
            changed(look(frames, view, each), change)[None] for each, view in zip(inputs, views, strict=True)
        )

    def jobs() -> Iterator[_Job]:
        while True:
            of_all_ranks = list(islice(drawn, batch_size * ranks))
            of_this = of_all_ranks[rank * batch_size :][:batch_size]
            chosen = {place: usable[number] for place, number in of_this}
            reads = [partial(read, place, clip) for place, clip in chosen.items()]
            yield _Job(reads, _labels(cache, list(chosen.values())))

    return _read_ahead(jobs(), inputs, batch_size)


def evaluation_batches(
    cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, batch_size: int, views: Views = ONE_VIEW
) -> Generator[Batch]:
    """One pass over `clips` in their order, nothing random; by default one view of each: its middle.

    With several `views` (`parse_views("10x3")`) a batch has one label a clip, and the views of its clips one
    after the other, (batch * views.count, ...): `logits.unflatten(0, (-1, views.count))` are those of each
    clip, of which a protocol takes the mean of the softmax, or the maximum. Broken clips are left out.
    """
    usable = cache.usable(clips)

    def read(clip: Clip) -> Seen:
        frames = cache.frames(clip)
        return (_looks(frames, evaluation_views(frames, spec, views), spec),)

    def job(begin: int) -> _Job:
        chosen = usable[begin : begin + batch_size]
        return _Job([partial(read, clip) for clip in chosen], _labels(cache, chosen))

    return _read_ahead(map(job, range(0, len(usable), batch_size)), (spec,), batch_size, views.count)


def reading_threads() -> int:
    """How many threads read clips: half of this process's share of the cores; others train here too."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    # torchrun tells several processes to use one thread each, which is no share of anything.
    share = training_threads() if processes == 1 else usable_threads() // processes
    return min(MOST_THREADS, max(1, share // 2))


def _order(
    clips: int, rng: np.random.Generator, groups: Sequence[Sequence[int]] | None = None
) -> Iterator[int]:
    """Numbers of clips, without end: one permutation of all after the other.

    With `groups` of numbers, rounds of one clip of each group take the place of permutations.
    """
    epochs = balanced_rounds(groups, rng) if groups else (rng.permutation(clips).tolist() for _ in count())
    return chain.from_iterable(epochs)


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
    jobs: Iterator[_Job], inputs: Sequence[InputSpec], batch_size: int, views_a_clip: int = 1
) -> Generator[Batch]:
    """The batches of the jobs, in order, each of `batch_size` clips at most, read before they are used.

    What is read ahead stays uint8. Only the batch after the one that is used is made float32, which has four
    times the bytes, on threads as well.
    """
    shapes = [(spec.frames, spec.height, spec.width, 3) for spec in inputs]
    batch_bytes = batch_size * views_a_clip * sum(map(math.prod, shapes))
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
        clips = len(reading.clips)
        pixels = [np.empty((clips, views_a_clip, *shape), np.float32) for shape in shapes]
        parts = [
            converters.submit(_convert, seen, [of_input[place] for of_input in pixels])
            for place, seen in enumerate(reading.clips)
        ]
        tensors = [torch.from_numpy(of_input).flatten(0, 1) for of_input in pixels]
        batch = Batch(tensors[0], reading.labels, tensors[1] if len(tensors) > 1 else None)
        return _Converting(batch, parts)

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


def _convert(seen: Future[Seen], places: Sequence[npt.NDArray[np.float32]]) -> None:
    """Put the views of a clip, as soon as they are read, into their places in a batch."""
    for views, place in zip(seen.result(), places, strict=True):
        normalise(views, place)
