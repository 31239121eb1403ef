"""The clips of a search: those that the user named, or generated ones."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from cli.output import ProgressBar, say
from tvnsearch.api.clips import clip_cache_folder, open_clips
from tvnsearch.api.request import Request
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.moving_digits import generate
from tvnsearch.genome.space import SearchSpace
from tvnsearch.training.task import DataSource


def requested_clips(request: Request, space: SearchSpace) -> tuple[ClipCache, DataSource]:
    """The clips that the user named, or moving digits, which are made unless they are there.

    They are decoded at the largest resolution of the ``space`` that is searched.

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
    return open_clips(address, clip_cache_folder(), space.longest_side, seed=0)
