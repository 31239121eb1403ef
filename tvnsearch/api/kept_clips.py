"""The clips that a run or a training was begun with, kept in its folder: with others its scores mean less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tvnsearch.api.watching import Watch
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing
from tvnsearch.search.run_folder import clips_path

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache, Preparation
    from tvnsearch.data.manifest import Manifest
    from tvnsearch.training.task import DataSource

SHOWN = 3

MOST_MISSING = 0.5
"""Of the files of clips that have moved; where more are missing it is another place."""


def kept_clips(folder: Path, data: str | Path | None = None) -> Manifest | None:
    """The clips that are kept in the folder of a run or a training; None where none are, or not yet.

    With ``data`` they are there now, and else where they were.

    Raises:
        UserError: the file is damaged, nothing is at ``data``, or most of the clips are not.
    """
    from tvnsearch.data.manifest import read_manifest

    path = clips_path(folder)
    if not path.is_file():
        return None
    kept = read_manifest(path)
    if data is None:
        return kept
    root = parse_address(data).path
    if root == kept.root:
        return kept
    moved = read_manifest(path, root)
    files = [file for file, _ in moved.records()]
    missing = [file for file in files if not file.exists()]
    if len(missing) > MOST_MISSING * len(files):
        raise UserError(
            f"expected the clips of {folder} in {root}, but {len(missing)} of its {len(files)} files are not "
            f"there ({_named(missing)}); say where they are by --data"
        )
    return moved


def keep_clips(run: Path, clips: ClipCache) -> DataSource:
    """Keep which clips a new run has, in which split, in its folder; where workers find them from then on.

    Those of a run that goes on are there.

    Raises:
        UserError: that cannot be written.
    """
    from tvnsearch.data.cache_folder import refer_to
    from tvnsearch.training.task import source_of

    path = clips_path(run)
    if clips.manifest_path != path:
        with writing(path, "and the same command goes on"):
            write_whole(path, clips.manifest_path.read_bytes())
        refer_to(clips.directory, path)
    return replace(source_of(clips), manifest=str(path.absolute()))


def say_since(kept: Manifest, prepared: Preparation, watch: Watch) -> None:
    """Say which clips came, went or changed since they were listed; none of that changes what is used."""
    if prepared.went:
        watch.say(
            f"since the clips were listed {len(prepared.went)} files went ({_named(prepared.went)}): what "
            "was decoded of them is used"
        )
    if prepared.changed:
        watch.say(
            f"since the clips were listed {len(prepared.changed)} files changed "
            f"({_named(prepared.changed)}): what was decoded of them before is used"
        )
    try:
        listed = open_dataset(kept.address, kept.seed)
    except UserError as error:
        watch.say(f"whether clips came since they were listed cannot be told: {error}")
        return
    came, others = list[Path](), list[Path]()
    classes = kept.dataset.classes
    for clip in listed.clips:
        row = kept.clip_row(clip.path, clip.start_s, clip.end_s)
        if row is None:
            came.append(clip.path)
        elif {listed.classes[label] for label in clip.labels} != {
            classes[label] for label in kept.labels(row)
        }:
            others.append(clip.path)
    if came:
        watch.say(
            f"since the clips were listed {len(came)} came ({_named(came)}): they are left out here, as what "
            "was begun goes on with its own"
        )
    if others:
        watch.say(
            f"since the clips were listed {len(others)} got other labels ({_named(others)}): those that they "
            "had are used"
        )


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
