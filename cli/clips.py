"""The clips of a search: found or generated, and decoded once."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from cli.compose import open_clips
from cli.output import ProgressBar, say
from cli.request import Request
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.moving_digits import generate
from tvnsearch.genome.space import load_space
from tvnsearch.training.task import DataSource


def requested_clips(request: Request) -> tuple[ClipCache, DataSource]:
    """The clips that the user named, or moving digits, which are made unless they are there.

    Raises:
        UserError: there are no clips, or not in a format that is known.
    """
    if request.data is None:
        data = platformdirs.user_data_path("tvnsearch") / "moving-digits"
        say(f"no --data given: moving digits, generated mp4 clips in {data}")
        with ProgressBar("encode clips") as bar:
            generate(data, seed=0, on_progress=lambda done, total: bar.update(done / total))
        address: str | Path = data
    else:
        address = request.data
    resolution = load_space(request.space).resolution.max
    return open_clips(address, platformdirs.user_cache_path("tvnsearch") / "clips", resolution, seed=0)


def prepare(cache: ClipCache) -> None:
    """Decode the clips that are not decoded yet, and say what there is."""
    dataset = cache.dataset
    say(
        f"clips: {dataset.address}, {len(dataset.classes)} classes, {len(dataset.train)} to train on, "
        f"{len(dataset.validation)} to select on, {len(dataset.test)} that the search never sees"
    )
    with ProgressBar("decode clips") as bar:
        done = cache.prepare(lambda done, total: bar.update(done / total))
    for broken in done.broken[:5]:
        say(f"left out: {broken}")
    if len(done.broken) > 5:
        say(f"left out: {len(done.broken) - 5} more broken clips")
