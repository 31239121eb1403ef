"""The user's clips: where they are kept decoded, and decoding them, with what people need to know of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tvnsearch.api.kept_clips import say_since
from tvnsearch.api.times import written_time
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.data.dataset import SPLITS
from tvnsearch.user_folders import user_folder_or_temporary

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache, Preparation
    from tvnsearch.data.manifest import Manifest
    from tvnsearch.data.preparation import PreparationProgress
    from tvnsearch.data.preparation_plan import PreparationPlan
    from tvnsearch.training.task import DataSource

SHOWN_BROKEN = 5

FORM_NAMES = {
    "raw": "raw frames",
    "jpeg": "JPEG",
    "h264": "H.264",
    "source": "the times of their frames, which are decoded when they are read",
}


def clip_cache_folder() -> Path:
    """Where every run of this user finds decoded clips; XDG_CACHE_HOME moves it."""
    return user_folder_or_temporary(platformdirs.user_cache_path, "clips")


def prepare_clips(
    cache: ClipCache,
    watch: Watch = SILENT,
    reads: float | None = None,
    use: str | None = None,
    splits: Iterable[str] = SPLITS,
) -> Preparation:
    """Decode the clips of some splits that are missing in a cache; say what is broken, and how they are kept.

    ``reads`` is how often each of them will be read, about, very often by default: those of few reads are
    decoded when they are read. ``use`` says what becomes of them, where that is not a training.

    Raises:
        UserError: every clip of a split is broken, the disk is full, or clips that are kept are lost.
    """
    from tvnsearch.data.preparation import are_few

    dataset, kept = cache.dataset, cache.kept
    use = use or (
        f"{len(dataset.classes)} classes, {len(dataset.train)} to train on, {len(dataset.validation)} to "
        f"select on, {len(dataset.test)} that the search never sees"
    )
    watch.say(f"clips: {dataset.address}, {use}")
    for remark in dataset.remarks:
        watch.say(remark)

    def show(done: PreparationProgress) -> None:
        note = f"{done.videos} of {done.of_videos} videos, as {FORM_NAMES[done.form]}"
        watch.progress("decode clips", done.share, note)

    def say_plan(plan: PreparationPlan) -> None:
        watch.say(
            f"decoding {plan.videos:,} videos: about {plan.stored_bytes / 1e9:,.1f} GB as "
            f"{FORM_NAMES[plan.form]} in {cache.directory}, and about {written_time(plan.seconds)}"
        )

    preparation = cache.prepare(show, splits=splits, on_plan=say_plan, reads=reads)
    if kept is not None:
        say_since(kept, preparation, watch)
    if preparation.copies:
        copy, original = next(iter(preparation.copies.items()))
        watch.say(
            f"{len(preparation.copies)} of the files to validate or test with are copies of files in another "
            f"split ({copy} is {original}): a score may come of knowing them again; take them out"
        )
    for broken in preparation.broken[:SHOWN_BROKEN]:
        watch.say(f"left out: {broken}")
    if len(preparation.broken) > SHOWN_BROKEN:
        watch.say(f"left out: {len(preparation.broken) - SHOWN_BROKEN} more that are broken")
    if preparation.decoded:
        forms = " and ".join(f"{count} as {FORM_NAMES[form]}" for form, count in preparation.forms.items())
        stored = f"{preparation.stored_bytes / 1e9:,.2f} GB in {cache.directory}"
        watch.say(f"decoded clips: {forms}{_why(preparation.forms, are_few(reads))}, {stored}")
    return preparation


def _why(forms: Collection[str], few_reads: bool) -> str:
    """Why clips are not kept as raw frames."""
    if "source" in forms and few_reads:
        return ", because each clip is hardly read more than once"
    if "source" in forms:
        return ", which takes long, because the disk has not room for frames in any form"
    return ", because the disk has not room for raw frames" if {"jpeg", "h264"} & {*forms} else ""


def open_clips(
    data: str | Path,
    cache_dir: Path,
    resolution: int,
    seed: int,
    kept: Manifest | None = None,
    manifest: Path | None = None,
) -> tuple[ClipCache, DataSource]:
    """The clips at the address ``data`` (not decoded yet), and where a worker finds them.

    Those that are ``kept`` are not listed again. The list goes to ``manifest``, by default in the cache.

    Raises:
        UserError: there are no clips, or not in a format that is known.
    """
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.catalog import open_dataset
    from tvnsearch.data.stored_sizes import size_to_store
    from tvnsearch.training.task import source_of

    cache = ClipCache(
        open_dataset(data, seed) if kept is None else kept.dataset,
        resolution,
        cache_dir,
        size=size_to_store(resolution),
        seed=seed if kept is None else kept.seed,
        kept=kept,
        manifest_path=manifest,
    )
    return cache, source_of(cache)
