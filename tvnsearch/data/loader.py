"""Batches for a network, read ahead on a thread of their own so that the trainer does not wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip
from tvnsearch.data.sampling import crop_at_random, mirror_at_random, take_frames, to_network_input
from tvnsearch.data.views import ONE_VIEW, Views, take_views
from tvnsearch.genome.genome import InputSpec

BATCHES_AHEAD = 3

_Item = TypeVar("_Item")


class Batch(NamedTuple):
    """Clips, float32 (batch, frames, side, side, 3), contiguous, and their labels.

    Labels are class indices, int64 (batch,), or for multi-label data 0 and 1, float32 (batch, classes).
    """

    clips: Tensor
    labels: Tensor


def training_batches(
    cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, batch_size: int, seed: int, first: int = 0
) -> Generator[Batch]:
    """Batches without end: every clip once an epoch in random order, random start and crop.

    Half of the clips are mirrored where that changes no class (`Dataset.mirrorable`). A batch is decided by
    the seed and its number alone: a training that is gone on with begins with batch `first`. Close the
    iterator (`contextlib.closing`) to end its thread.
    """
    usable = cache.usable(clips)

    def batches() -> Iterator[Batch]:
        for number in count(first):
            rng = np.random.default_rng((seed, 1, number))
            chosen = [usable[place] for place in _places(len(usable), batch_size, seed, number)]
            frames = torch.from_numpy(
                np.stack([take_frames(cache.frames(clip), spec, rng) for clip in chosen])
            )
            seen = crop_at_random(frames, rng)
            if cache.dataset.mirrorable:
                seen = mirror_at_random(seen, rng)
            yield Batch(to_network_input(seen, spec.resolution), _labels(cache, chosen))

    return _read_ahead(batches)


def evaluation_batches(
    cache: ClipCache, clips: Sequence[Clip], spec: InputSpec, batch_size: int, views: Views = ONE_VIEW
) -> Generator[Batch]:
    """One pass over `clips` in their order, nothing random: by default the middle of each, in whole frames.

    A batch has the views of its clips one after the other, (batch * views.count, ...), and one label a clip.
    """
    usable = cache.usable(clips)

    def batches() -> Iterator[Batch]:
        for first in range(0, len(usable), batch_size):
            chosen = usable[first : first + batch_size]
            frames = torch.from_numpy(
                np.concatenate([take_views(cache.frames(clip), spec, views) for clip in chosen])
            )
            yield Batch(to_network_input(frames, spec.resolution), _labels(cache, chosen))

    return _read_ahead(batches)


def _places(clips: int, batch_size: int, seed: int, number: int) -> Iterator[int]:
    """Which clips are in a batch: its part of epochs strung together, each in an order of its own."""
    begin, end = number * batch_size, (number + 1) * batch_size
    for epoch in range(begin // clips, (end - 1) // clips + 1):
        yield from _order(clips, seed, epoch)[max(begin - epoch * clips, 0) : end - epoch * clips].tolist()


@lru_cache(maxsize=4)
def _order(clips: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, 0, epoch)).permutation(clips)


def _labels(cache: ClipCache, clips: Sequence[Clip]) -> Tensor:
    if not cache.dataset.multi_label:
        return torch.tensor([clip.labels[0] for clip in clips])
    labels = torch.zeros(len(clips), len(cache.dataset.classes))
    for row, clip in zip(labels, clips, strict=True):
        row[list(clip.labels)] = 1.0
    return labels


def _read_ahead(make: Callable[[], Iterator[_Item]]) -> Generator[_Item]:
    """The items of an iterator, up to BATCHES_AHEAD of them made on another thread before they are used."""
    ahead: queue.Queue[tuple[_Item] | BaseException | None] = queue.Queue(BATCHES_AHEAD)
    closed = threading.Event()

    def put(item: tuple[_Item] | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                ahead.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fill() -> None:
        try:
            for item in make():
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:  # raised again where the items are used
            put(error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while (item := ahead.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        closed.set()
        thread.join()
