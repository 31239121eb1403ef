"""What a cache holds, who refers to it, and removing what nobody needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tvnsearch.data.cache_folder import MANIFEST_SUFFIX, MANIFESTS, NAMES, VIDEOS, is_in_use
from tvnsearch.data.manifest import Manifest, read_manifest
from tvnsearch.data.stored import open_stored
from tvnsearch.errors import UserError

DAY_S = 86_400.0


class CachedVideo(Struct, frozen=True):
    """A stored video: its size and form, the data sets whose lists name it, and how it is needed.

    `referred`: a run, a training or a data set that is still there has it in its list. `in_use`: a process
    has such a list open. `used_at_s` is when one did last, as far as is known, else when it was stored.
    """

    path: Path
    bytes: int
    resolution: int
    form: str
    data: tuple[str, ...]
    referred: bool
    in_use: bool
    used_at_s: float


class CachedGroup(Struct, frozen=True):
    """Stored videos of the same data sets, resolution and form, and how they are needed."""

    data: tuple[str, ...]
    resolution: int
    form: str
    referred: bool
    in_use: bool
    videos: int
    bytes: int


class _List(Struct, frozen=True):
    """A list of clips that a cache knows of: its own, or one that is kept in the folder of a run."""

    entry: Path
    manifest: Manifest
    referred: bool
    in_use: bool
    used_at_s: float


def cached_videos(directory: Path) -> list[CachedVideo]:
    """Every stored video of a cache."""
    naming: dict[str, list[tuple[_List, int]]] = {}
    for known in _lists(directory):
        for row in range(known.manifest.file_count):
            if name := known.manifest.video(row):
                naming.setdefault(name, []).append((known, row))
    return [_video(path, naming.get(path.name, [])) for path in (directory / VIDEOS).glob("*.clip")]


def grouped(videos: list[CachedVideo]) -> list[CachedGroup]:
    """Videos counted by data set, resolution, form, and how they are needed, the largest groups first."""
    groups: dict[tuple[tuple[str, ...], int, str, bool, bool], tuple[int, int]] = {}
    for video in videos:
        key = (video.data, video.resolution, video.form, video.referred, video.in_use)
        count, size = groups.get(key, (0, 0))
        groups[key] = (count + 1, size + video.bytes)
    found = [CachedGroup(*key, videos=count, bytes=size) for key, (count, size) in groups.items()]
    return sorted(found, key=lambda group: -group.bytes)


def removable(
    videos: list[CachedVideo], *, unreferenced: bool, older_than_days: float | None, everything: bool
) -> list[CachedVideo]:
    """Those that are no longer referred to, that nobody has used for so many days, or all.

    What a process uses is never among them.
    """
    oldest_s = None if older_than_days is None else time.time() - older_than_days * DAY_S
    return [
        video
        for video in videos
        if not video.in_use
        and (
            everything
            or (unreferenced and not video.referred)
            or (oldest_s is not None and video.used_at_s < oldest_s)
        )
    ]


def remove_videos(
    directory: Path, videos: list[CachedVideo], on_progress: Callable[[int, int], None]
) -> None:
    """Remove stored videos, then the names and lists of which nothing is left; progress is (done, in all).

    Raises UserError when one cannot be removed.
    """
    try:
        for number, video in enumerate(videos, start=1):
            video.path.unlink(missing_ok=True)
            on_progress(number, len(videos))
        for link in (directory / NAMES).iterdir():
            if not link.exists():
                link.unlink(missing_ok=True)
        for known in list(_lists(directory)):
            own = not known.entry.is_symlink()
            if own and not known.in_use and not _has_videos(directory, known.manifest):
                known.entry.unlink(missing_ok=True)
        for entry in (directory / MANIFESTS).iterdir():
            if entry.is_symlink() and not entry.exists():
                entry.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"expected to remove decoded videos from {directory}, but that failed "
            f"({error.strerror or error}); make the folder writable, and give the same command again"
        ) from None


def _lists(directory: Path) -> Iterator[_List]:
    for entry in (directory / MANIFESTS).glob(f"*{MANIFEST_SUFFIX}"):
        used = is_in_use(entry)
        with suppress(UserError, OSError):  # a run that is gone, or a list of another version
            manifest = read_manifest(entry)
            referred = entry.is_symlink() or manifest.root.exists()
            yield _List(entry, manifest, referred, used, entry.lstat().st_mtime)


def _has_videos(directory: Path, manifest: Manifest) -> bool:
    names = (manifest.video(row) for row in range(manifest.file_count))
    return any(name and (directory / VIDEOS / name).exists() for name in names)


def _video(path: Path, naming: list[tuple[_List, int]]) -> CachedVideo:
    state = path.stat()
    if naming:
        known, row = naming[0]
        form = known.manifest.stored(row).form
    else:
        video = open_stored(path)
        form = "damaged" if video is None else video.form
    size = path.name.split(".")[1]
    return CachedVideo(
        path=path,
        bytes=state.st_size,
        resolution=int(size) if size.isdecimal() else 0,
        form=form,
        data=tuple(sorted({known.manifest.address for known, _ in naming})),
        referred=any(known.referred for known, _ in naming),
        in_use=any(known.in_use for known, _ in naming),
        used_at_s=max([state.st_mtime, *(known.used_at_s for known, _ in naming)]),
    )
