"""The user's clips: where they are kept decoded, and decoding them, with what people need to know of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.user_folders import user_folder_or_temporary

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache, Preparation
    from tvnsearch.data.preparation import PreparationProgress
    from tvnsearch.training.task import DataSource

SHOWN_BROKEN = 5

FORM_NAMES = {"raw": "raw frames", "jpeg": "JPEG"}


def clip_cache_folder() -> Path:
    """Where every run of this user finds decoded clips; XDG_CACHE_HOME moves it."""
    return user_folder_or_temporary(platformdirs.user_cache_path, "clips")


def prepare_clips(cache: ClipCache, watch: Watch = SILENT, use: str | None = None) -> Preparation:
    """Decode the clips that are missing in a cache; say what is broken, and in which form they are kept.

    ``use`` says what becomes of them, where that is not a training.

    Raises:
        UserError: every clip of a split is broken, or the disk is too small.
    """
    dataset = cache.dataset
    use = use or (
        f"{len(dataset.classes)} classes, {len(dataset.train)} to train on, {len(dataset.validation)} to "
        f"select on, {len(dataset.test)} that the search never sees"
    )
    watch.say(f"clips: {dataset.address}, {use}")

    def show(done: PreparationProgress) -> None:
        note = f"{done.videos} of {done.of_videos} videos, as {FORM_NAMES[done.form]}"
        watch.progress("decode clips", done.share, note)

    preparation = cache.prepare(show)
    for broken in preparation.broken[:SHOWN_BROKEN]:
        watch.say(f"left out: {broken}")
    if len(preparation.broken) > SHOWN_BROKEN:
        watch.say(f"left out: {len(preparation.broken) - SHOWN_BROKEN} more that are broken")
    if preparation.decoded:
        forms = " and ".join(f"{count} as {FORM_NAMES[form]}" for form, count in preparation.forms.items())
        why = ", because the disk has not room for raw frames" if "jpeg" in preparation.forms else ""
        watch.say(
            f"decoded clips: {forms}{why}, {preparation.stored_bytes / 1e9:,.2f} GB in {cache.directory}"
        )
    return preparation


def open_clips(data: str | Path, cache_dir: Path, resolution: int, seed: int) -> tuple[ClipCache, DataSource]:
    """The clips at the address ``data`` (not decoded yet), and where a worker finds them.

    Raises:
        UserError: there are no clips, or not in a format that is known.
    """
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.catalog import open_dataset
    from tvnsearch.training.task import DataSource

    dataset = open_dataset(data, seed)
    source = DataSource(dataset.address, seed, str(cache_dir.resolve()), resolution)
    return ClipCache(dataset, resolution, cache_dir), source
