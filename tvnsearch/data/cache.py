"""Every video decoded once: a search reads the same clips thousands of times."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.data.cache_folder import (
    cache_id,
    latest_manifest,
    locking,
    make_cache_folder,
    new_manifest_path,
    preparing,
    refer_to,
    remove_superseded,
)
from tvnsearch.data.copies import copies_across
from tvnsearch.data.dataset import SPLITS, Clip, Dataset
from tvnsearch.data.manifest import (
    ListedClips,
    Manifest,
    Part,
    StoredFile,
    encode_manifest,
    part_of,
    read_manifest,
)
from tvnsearch.data.preparation import OnPreparation, are_few, decode_all
from tvnsearch.data.preparation_plan import OnPlan
from tvnsearch.data.stored import Frames, StoredVideo
from tvnsearch.data.video import BrokenClip
from tvnsearch.data.video_store import DECODER, VideoStore, content_of, is_as_it_was, recorded
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing

OPEN_VIDEOS = 256
"""Memory maps held open, each of which holds a file: well below the 1,024 that a process may usually open."""

NOT_PREPARED = "it is not in the cache"
SHOWN_LOST = 3


class Preparation(Struct, frozen=True):
    """What `ClipCache.prepare` came to.

    Videos decoded now and found decoded, broken clips with reasons, the bytes of all decoded videos of the
    data set, and how many of them are stored in which form. `copies` gives each file whose content is that of
    another one in another split, and that one. Of a list of clips that is kept also which files `went` since,
    and which have `changed`: what was stored of them before is used.
    """

    decoded: int
    found: int
    broken: tuple[BrokenClip, ...]
    stored_bytes: int
    forms: dict[str, int]
    copies: dict[Path, Path] = {}
    went: tuple[Path, ...] = ()
    changed: tuple[Path, ...] = ()


class _Preparing(NamedTuple):
    """Who hears of a preparation, and how often each clip will be read."""

    on_progress: OnPreparation | None
    on_plan: OnPlan | None
    reads: float | None


class ClipCache:
    """The videos of a data set, decoded for networks that look at `resolution` pixels, in `directory`.

    New videos are stored with a short side of `size` pixels (by default `resolution`), and any that are
    stored at `resolution` or more serve. Which ones do is in `manifest`: `prepare` writes it to
    `manifest_path`, by default in the directory, and from it `usable` and `frames` answer.

    A video that was moved or copied is not decoded again, one that was changed is, and any number of data
    sets, runs and processes share a directory. Clips that are parts of one file share its video. Everything
    appears under its name only when it is whole: a kill loses the videos in flight and nothing else.

    Who has `kept` a manifest goes on with its clips and no others: with the videos that it names, if the
    files that they were made from are gone, or hold something else by now. `seed` is that of the split.
    """

    def __init__(
        self,
        dataset: Dataset,
        resolution: int,
        directory: Path,
        *,
        size: int | None = None,
        seed: int = 0,
        kept: Manifest | None = None,
        manifest_path: Path | None = None,
    ) -> None:
        self.dataset = dataset
        self.resolution = resolution
        self.size = size or resolution
        self.directory = directory
        self.seed = seed
        self.kept = kept
        self.manifest: Manifest | None = None
        empty = [name for name, split in dataset.splits.items() if not split]
        told = repr((dataset.address, seed, resolution, empty)).encode(errors="surrogateescape")
        self._data = hashlib.blake2b(told, digest_size=8).hexdigest()
        self.manifest_path = manifest_path or new_manifest_path(directory, self._data)
        self._store = VideoStore(directory, resolution, self.size)
        self._open = lru_cache(maxsize=OPEN_VIDEOS)(StoredVideo)

    def prepare(
        self,
        on_progress: OnPreparation | None = None,
        *,
        splits: Iterable[str] = SPLITS,
        on_plan: OnPlan | None = None,
        reads: float | None = None,
    ) -> Preparation:
        """Decode the videos of some splits that are missing, reporting how far that is; write the manifest.

        `reads` is how often each clip will be read, about (None: very often): for few of them, and where the
        disk has no room, frames are decoded when they are read (the form `source`). Broken clips are
        collected, left out of `usable`, and tried again by the next call, unless their manifest is kept.
        Before many videos are decoded `on_plan` hears what that takes.

        Raises UserError when every clip of a split is broken, the disk is full, the manifest cannot be
        written, or a clip that is kept is neither stored nor the same any more.
        """
        with writing(self.directory, "or set XDG_CACHE_HOME to another folder"):
            make_cache_folder(self.directory)
        clips = {name: self.dataset.splits[name] for name in splits}
        work = _Preparing(on_progress, on_plan, reads)
        with locking(preparing(self.directory), shared=True):
            if self.kept is None:
                return self._prepare_listed(clips, work)
            return self._prepare_kept(self.kept, clips, work)

    def usable(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        """Those of `clips` that were decoded: the rest is broken or not prepared yet."""
        manifest = self.manifest
        if manifest is None:
            return ()
        if isinstance(clips, ListedClips) and clips.manifest is manifest:
            return clips.usable()
        return tuple(clip for clip in clips if manifest.can_use(clip))

    def frames(self, clip: Clip) -> Frames:
        """The frames of a prepared clip, still on disk.

        Raises BrokenClip when the clip was not decoded, or too few frames of it could be.
        """
        row = None if self.manifest is None else self.manifest.file_row(clip.path)
        name = "" if self.manifest is None or row is None else self.manifest.video(row)
        if not name:
            raise BrokenClip(clip.path, NOT_PREPARED)
        try:
            video = self._open(self._store.videos / name)
        except (OSError, ValueError):  # not there any more, or not whole
            raise BrokenClip(clip.path, NOT_PREPARED) from None
        return video.part(*part_of(clip))

    def identity(self, clips: Sequence[Clip]) -> str:
        """What tells those of these prepared clips that are usable from others, wherever they lie."""
        manifest = self.manifest
        if manifest is None:
            return ""
        if isinstance(clips, ListedClips) and clips.manifest is manifest:
            return clips.identity
        rows = (manifest.clip_row(*part_of(clip)) for clip in self.usable(clips))
        return manifest.identity(row for row in rows if row is not None)

    def _prepare_listed(self, splits: dict[str, Sequence[Clip]], work: _Preparing) -> Preparation:
        """Prepare the clips that were listed; of files that are as they were nothing is opened."""
        known = self._known()
        paths = dict.fromkeys(clip.path for split in splits.values() for clip in split)
        stored = {path: found for path in paths if (found := self._store.found(path, known))}
        missing = [path for path in paths if path not in stored]
        decoded, broken = self._decode(missing, stored, work)
        problems: dict[Part, str] = {}
        for name, split in splits.items():
            for clip in split:
                if problem := self._problem(clip, stored, broken, known):
                    problems[part_of(clip)] = problem
            if split and all(part_of(clip) in problems for clip in split):
                first = split[0]
                raise UserError(
                    f"expected videos that can be decoded in the {name} split of {self.dataset.root}, but "
                    f"all {len(split)} are broken (for example {first.path}: {problems[part_of(first)]}); "
                    "replace them"
                )
        self._write(stored, problems)
        return replace(_preparation(decoded, stored, problems), copies=copies_across(splits, stored))

    def _prepare_kept(
        self,
        kept: Manifest,
        splits: dict[str, Sequence[Clip]],
        work: _Preparing,
    ) -> Preparation:
        """Find or restore the videos of a manifest that is kept; which clips are usable stays as it was."""
        stored: dict[Path, StoredFile] = {}
        missing, went, changed, lost = list[Path](), list[Path](), list[Path](), list[Path]()
        for path in dict.fromkeys(clip.path for split in splits.values() for clip in split):
            record = recorded(kept, path)
            if not record.video:
                continue
            try:
                state = path.stat()
                same = is_as_it_was(record, state) or content_of(path) == record.content
            except OSError:
                same = False
                went.append(path)
            else:
                if same:
                    record = record._replace(source_bytes=state.st_size, source_mtime_ns=state.st_mtime_ns)
                else:
                    changed.append(path)
            video = self._store.of_content(record)
            if video is not None and (same or video.form != "source"):
                stored[path] = video
            else:
                (missing if same else lost).append(path)
        if lost:
            raise _lost(kept, lost)
        decoded, broken = self._decode(missing, stored, work)
        if broken:
            raise _lost(kept, list(broken))
        others = {path: record for path, record in kept.records() if path not in stored and record.video}
        problems = {part: reason or NOT_PREPARED for part, reason in kept.problems()}
        self._write(others | stored, problems)
        done = _preparation(decoded, stored, problems)
        return replace(done, went=tuple(went), changed=tuple(changed))

    def _decode(
        self,
        missing: Sequence[Path],
        stored: dict[Path, StoredFile],
        work: _Preparing,
    ) -> tuple[frozenset[Path], dict[Path, BrokenClip]]:
        """Decode what is missing and put it into `stored`; what was decoded, and what is broken.

        What is `stored` as the times of its frames is decoded as well, if it is read often and there is room.
        """
        store = self._store
        timed = [] if are_few(work.reads) else [path for path, one in stored.items() if one.form == "source"]
        wanted = [*missing, *timed]
        done = decode_all(
            wanted,
            self.size,
            store.videos,
            store.target,
            store.keep,
            work.on_progress,
            work.on_plan,
            work.reads,
            frozenset(timed),
        )
        self._open.cache_clear()
        for path in wanted:
            if path not in done.broken and (found := store.found(path)):
                stored[path] = found._replace(decoder=DECODER) if path in done.decoded else found
        return done.decoded, done.broken

    def _problem(
        self,
        clip: Clip,
        stored: dict[Path, StoredFile],
        broken: dict[Path, BrokenClip],
        known: Manifest | None,
    ) -> str:
        """Why a clip cannot be used; empty where it can."""
        if clip.path in broken:
            return broken[clip.path].reason
        if clip.path not in stored:
            return NOT_PREPARED
        if known is not None and known.lists_usable(clip, stored[clip.path]):
            return ""
        try:
            self._open(self._store.videos / stored[clip.path].video).part(*part_of(clip))
        except BrokenClip as failure:
            return failure.reason
        except (OSError, ValueError):  # removed in this moment
            return NOT_PREPARED
        return ""

    def _known(self) -> Manifest | None:
        """What the last preparation of this data set has written, if it is there and whole."""
        path = latest_manifest(self.directory, self._data)
        with suppress(UserError):
            return None if path is None else read_manifest(path)
        return None

    def _write(self, stored: dict[Path, StoredFile], problems: dict[Part, str]) -> None:
        """Write the manifest and open it, unless one that is kept there says the same."""
        path, here = self.manifest_path, cache_id(self.directory)
        content = encode_manifest(self.dataset, self.seed, self.resolution, here, stored, problems)
        with locking(self.directory / "manifests.lock"):
            if not (path.is_file() and path.read_bytes() == content):
                with writing(path, "and the same command goes on"):
                    write_whole(path, content)
            self.manifest = read_manifest(path, self.dataset.root)
            refer_to(self.directory, path)
            remove_superseded(self.directory, self._data)
        if self.kept is not None:
            self.kept, self.dataset = self.manifest, self.manifest.dataset


def open_prepared(
    path: Path, directory: Path, resolution: int, size: int, reads: float | None = None
) -> ClipCache:
    """The clips of a manifest that another process has prepared; nothing of the data set is listed again.

    On a machine whose cache is another one their videos are prepared there first, for so many `reads`.

    Raises UserError when the manifest cannot be read, or its clips not be prepared here.
    """
    manifest = read_manifest(path)
    cache = ClipCache(manifest.dataset, resolution, directory, size=size, seed=manifest.seed, kept=manifest)
    if manifest.cache == cache_id(directory):
        cache.manifest = manifest
        refer_to(directory, path)
    else:
        cache.prepare(reads=reads)
    return cache


def _lost(kept: Manifest, lost: Sequence[Path]) -> UserError:
    """Clips that nobody has any more."""
    names = ", ".join(str(path) for path in lost[:SHOWN_LOST])
    more = f", and {len(lost) - SHOWN_LOST} more" if len(lost) > SHOWN_LOST else ""
    return UserError(
        f"expected the clips that are listed in {kept.path}, but {len(lost)} of their files are gone or have "
        f"changed since, and are not in the cache either ({names}{more}); restore them, say where they are "
        "by --data, or begin anew"
    )


def _preparation(
    decoded: frozenset[Path], stored: dict[Path, StoredFile], problems: dict[Part, str]
) -> Preparation:
    broken = dict.fromkeys((path, reason) for (path, _, _), reason in problems.items())
    return Preparation(
        decoded=len(decoded),
        found=len(stored) - len(decoded),
        broken=tuple(BrokenClip(path, reason) for path, reason in broken),
        stored_bytes=sum(record.stored_bytes for record in stored.values()),
        forms=dict(Counter(record.form for record in stored.values())),
    )
