"""The cache of decoded clips: what it holds, and removing what nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tvnsearch.api.clips import clip_cache_folder
from tvnsearch.api.watching import SILENT, Watch, counting
from tvnsearch.errors import UserError

if TYPE_CHECKING:
    from tvnsearch.data.cleaning import CachedGroup


class CleanedClips(Struct, frozen=True):
    """What the cache in ``directory`` held, by data set, size and form, and what of that went or would go."""

    directory: str
    held: list[CachedGroup]
    removed: list[CachedGroup]
    dry_run: bool

    @property
    def removed_bytes(self) -> int:
        """What was freed, or would be."""
        return sum(group.bytes for group in self.removed)


def clean_clips(
    *,
    unreferenced: bool = False,
    older_than_days: float | None = None,
    everything: bool = False,
    dry_run: bool = False,
    watch: Watch = SILENT,
) -> CleanedClips:
    """Remove decoded videos: those that no data set, run or training refers to, old ones, or all.

    Old are those that nobody has opened for ``older_than_days``. With none of these, or as a ``dry_run``,
    nothing is removed. What a living process uses stays.

    Raises:
        UserError: clips are being decoded, ``older_than_days`` is no number of days, or a video cannot be
            removed.
    """
    from tvnsearch.data.cache_folder import locking, make_cache_folder, preparing
    from tvnsearch.data.cleaning import cached_videos, grouped, removable, remove_videos
    from tvnsearch.files import writing

    if older_than_days is not None and not older_than_days >= 0:
        raise UserError(f"expected --older-than of 0 days or more, but got {older_than_days}; correct it")
    directory = clip_cache_folder()
    with writing(directory, "or set XDG_CACHE_HOME to the folder that is meant"):
        make_cache_folder(directory)
    try:
        with locking(preparing(directory), waits=False):
            videos = cached_videos(directory)
            going = removable(
                videos, unreferenced=unreferenced, older_than_days=older_than_days, everything=everything
            )
            if going and not dry_run:
                remove_videos(directory, going, counting(watch, "remove videos", "videos"))
    except BlockingIOError:
        raise UserError(
            f"expected nobody to be decoding clips into {directory}, but a process is; give the command "
            "again when that is done"
        ) from None
    return CleanedClips(str(directory), grouped(videos), grouped(going), dry_run)
