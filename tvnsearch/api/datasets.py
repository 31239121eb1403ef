"""Clips before they are trained on: looked at, decoded once for all runs, or made to try everything on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tvnsearch.api.clips import clip_cache_folder, prepare_clips
from tvnsearch.api.watching import SILENT, Watch, counting
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.dataset import Dataset
from tvnsearch.genome.space import load_space
from tvnsearch.seeds import require_seed

if TYPE_CHECKING:
    from tvnsearch.data.cache import Preparation
    from tvnsearch.data.inspection import Inspection


class InspectedData(Struct, frozen=True):
    """A data set, and what is in its files; of a whole clip about ``base_rate`` frames a second are used."""

    dataset: Dataset
    found: Inspection
    base_rate: float


class PreparedData(Struct, frozen=True):
    """A data set, decoded in ``directory`` with a short side of up to ``resolution`` pixels.

    ``usable`` counts the clips of each split that are not broken.
    """

    dataset: Dataset
    done: Preparation
    usable: dict[str, int]
    resolution: int
    directory: str


def generate_data(
    out: str | Path,
    *,
    digits: Sequence[int] = range(10),
    multi_label: bool = False,
    seed: int = 0,
    watch: Watch = SILENT,
) -> Dataset:
    """Write moving digits to the folder ``out``: handwritten digits that move over textures, as mp4 files.

    With ``multi_label`` clips are longer and show several events each.

    Raises:
        UserError: the folder holds anything else, or the seed is no good.
    """
    from tvnsearch.data.moving_digits import generate

    require_seed(seed)
    generate(
        Path(out),
        digits=digits,
        multi_label=multi_label,
        seed=seed,
        on_progress=counting(watch, "encode clips", "mp4 files"),
    )
    return open_dataset(Path(out))


def inspect_data(data: str | Path, *, split_seed: int = 0, watch: Watch = SILENT) -> InspectedData:
    """Look at every file at the address ``data``; ``split_seed`` decides the splits that they come without.

    Raises:
        UserError: there are no clips, or not in a format that is known, or the seed is no good.
    """
    from tvnsearch.data.decode import BASE_RATE
    from tvnsearch.data.inspection import inspect_dataset

    require_seed(split_seed, "--split-seed")
    dataset = open_dataset(data, split_seed)
    if not str(data).startswith(f"{dataset.format}:"):
        watch.say(f"recognised as {dataset.address}")
    found = inspect_dataset(dataset, counting(watch, "look at clips", "files"))
    return InspectedData(dataset, found, BASE_RATE)


def prepare_data(data: str | Path, *, space: str | Path = "paper", watch: Watch = SILENT) -> PreparedData:
    """Decode every clip once, for the networks of ``space``; a search does so by itself.

    Raises:
        UserError: there are no clips, every clip of a split is broken, or the disk is too small.
    """
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.stored_sizes import size_to_store

    dataset = open_dataset(data)
    resolution = load_space(str(space)).longest_side
    cache = ClipCache(dataset, resolution, clip_cache_folder(), size=size_to_store(resolution))
    done = prepare_clips(cache, watch)
    usable = {split: len(cache.usable(clips)) for split, clips in dataset.splits.items()}
    return PreparedData(dataset, done, usable, cache.size, str(cache.directory))
