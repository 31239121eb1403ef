"""The layout of a user's own clips: a folder for each class, below a folder for each split or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.assembly import (
    SPLIT_NAMES,
    VIDEO_EXTENSIONS,
    NamedClip,
    Split,
    assemble,
    is_video,
)
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError


def open_class_folders(root: Path, seed: int) -> Dataset:
    """Open `<root>/<split>/<class>/*` (train, val or validation, test) or `<root>/<class>/*`.

    The first is meant when `<root>/train` has class folders of its own: a class may well be called "train".

    Raises UserError when no video is found or the clips do not make a data set (see `assemble`).
    """
    split_folders = {path: SPLIT_NAMES[path.name] for path in _folders(root) if path.name in SPLIT_NAMES}
    if any(split == "train" and any(_clips(folder, split)) for folder, split in split_folders.items()):
        named_clips = [clip for folder, split in split_folders.items() for clip in _clips(folder, split)]
    else:
        named_clips = list(_clips(root, None))
    if not named_clips:
        raise UserError(
            f"expected videos ({', '.join(sorted(VIDEO_EXTENSIONS))}) in class folders, <class>/* or "
            f"train/<class>/*, but {root} has none; give the folder above the class folders"
        )
    return assemble(root, named_clips, seed)


def _clips(folder: Path, split: Split | None) -> Iterator[NamedClip]:
    for class_folder in _folders(folder):
        for path in sorted(class_folder.iterdir()):
            if is_video(path):
                yield NamedClip(path, (class_folder.name,), split)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
