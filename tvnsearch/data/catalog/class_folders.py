"""The format of a user's own clips: a folder for each class, below a folder for each split or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.assembly import (
    SPLIT_NAMES,
    VIDEO_EXTENSIONS,
    Format,
    Listing,
    NamedClip,
    Split,
    is_video,
)
from tvnsearch.errors import UserError
from tvnsearch.files import as_text


def read(root: Path, _split: int) -> Listing:
    """Read `<root>/<split>/<class>/*` (train, val or validation, test) or `<root>/<class>/*`.

    The first is meant when `<root>/train` has class folders of its own: a class may well be called "train".

    Raises UserError when no video is found.
    """
    if not root.is_dir():
        raise UserError(
            f"expected a folder of class folders, but {root} is none; give the one that holds them"
        )
    split_folders = {path: SPLIT_NAMES[path.name] for path in _folders(root) if path.name in SPLIT_NAMES}
    if any(split == "train" and any(_clips(folder, split)) for folder, split in split_folders.items()):
        clips = [clip for folder, split in split_folders.items() for clip in _clips(folder, split)]
    else:
        clips = list(_clips(root, None))
    if not clips:
        raise UserError(
            f"expected videos ({', '.join(sorted(VIDEO_EXTENSIONS))}) in class folders, <class>/* or "
            f"train/<class>/*, but {root} has none; give the folder above the class folders"
        )
    return Listing(clips)


def _clips(folder: Path, split: Split | None) -> Iterator[NamedClip]:
    for class_folder in _folders(folder):
        for path in sorted(class_folder.iterdir()):
            if is_video(path):
                yield NamedClip(path, (as_text(class_folder.name),), split)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


FORMAT = Format("folders", Path.is_dir, read)
