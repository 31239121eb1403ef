"""The user's clips: where they are kept decoded, and decoding them, with what people need to know of it."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from cli.output import ProgressBar, say
from tvnsearch.data.cache import ClipCache, Preparation

SHOWN_BROKEN = 5


def clip_cache_folder() -> Path:
    """Where every run of this user finds decoded clips; XDG_CACHE_HOME moves it."""
    return platformdirs.user_cache_path("tvnsearch") / "clips"


def prepare_clips(cache: ClipCache) -> Preparation:
    """Decode the clips that are missing in a cache, with a progress bar; say what is broken.

    Raises:
        UserError: every clip of a split is broken.
    """
    dataset = cache.dataset
    say(
        f"clips: {dataset.address}, {len(dataset.classes)} classes, {len(dataset.train)} to train on, "
        f"{len(dataset.validation)} to select on, {len(dataset.test)} that the search never sees"
    )
    with ProgressBar("decode clips") as bar:
        preparation = cache.prepare(lambda done, total: bar.update(done / total))
    for broken in preparation.broken[:SHOWN_BROKEN]:
        say(f"left out: {broken}")
    if len(preparation.broken) > SHOWN_BROKEN:
        say(f"left out: {len(preparation.broken) - SHOWN_BROKEN} more broken clips")
    return preparation
