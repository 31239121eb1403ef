"""The format of a user's own clips: a folder for each class, below a folder for each split or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip
from tvnsearch.data.catalog.names import VIDEO_EXTENSIONS, Split, class_key, split_named
from tvnsearch.data.catalog.scanning import FoundVideo, top_folder, videos_below
from tvnsearch.errors import UserError
from tvnsearch.files import as_text

Tree = dict[str, list[FoundVideo]]
"""The videos by the folder of the data set that they lie in; folders without any are not in it."""

_Role = tuple[str, Split | None, tuple[str, ...]]
"""Class and split of a video, and the folders that it lies in below that of its class."""

OUTSIDE = "videos outside of class folders"


def read(root: Path, _split: int) -> Listing:
    """Read `<root>/<split>/<class>/**` or `<root>/<class>/**`, whatever a split is called (`split_named`).

    The first is meant when a folder for training has class folders of its own: a class may well be called
    "train". Without such a folder, one of another split counts beside folders of the same classes, which are
    then trained with; and folders of splits may lie in those of the classes. All folders below a class are
    read.

    Raises UserError when no video is found, or only a folder that holds others.
    """
    if not root.is_dir():
        raise UserError(
            f"expected a folder of class folders, but {root} is none; give the one that holds them"
        )
    left_out: Counter[str] = Counter()
    folders, loose = top_folder(root, left_out)
    tree = {name: found for name in folders if (found := list(videos_below(f"{root / name}", left_out)))}
    if not tree:
        raise UserError(
            f"expected videos ({', '.join(sorted(VIDEO_EXTENSIONS))}) in class folders, <class>/* or "
            f"train/<class>/*, but {root} has none; give the folder above the class folders"
        )
    left_out[OUTSIDE] += len(loose)
    splits = _split_folders(tree)
    clips = list(_clips(tree, splits, left_out))
    deeper = [clip.path for clip, below in clips if below]
    if len(tree) == 1 and not splits and deeper:
        only = root / next(iter(tree))
        raise UserError(
            f"expected a folder for each class in {root}, but videos are in {only} alone; give that if the "
            "classes are in there"
        )
    return Listing(
        [clip for clip, _ in clips],
        left_out=left_out,
        notes=(*_classes_like_splits(tree, splits), *_nested(deeper)),
    )


def _clips(
    tree: Tree, splits: dict[str, Split], left_out: Counter[str]
) -> Iterator[tuple[NamedClip, tuple[str, ...]]]:
    """The clips, each with the folders that it lies in below that of its class."""
    within = not splits and _splits_in_classes(tree)
    for name, videos in tree.items():
        for path, inside in videos:
            role = _role_within(name, inside) if within else _role(name, inside, splits)
            if role is None:
                left_out[OUTSIDE] += 1
            else:
                label, split, below = role
                yield NamedClip(Path(path), (as_text(label),), split), below


def _role(name: str, inside: tuple[str, ...], splits: dict[str, Split]) -> _Role | None:
    """What a video in the folder `name` shows, where some of the folders are splits or none is."""
    if name in splits:
        return (inside[0], splits[name], inside[1:]) if inside else None
    if "train" in splits.values():
        return None
    return name, "train" if splits else None, inside


def _role_within(name: str, inside: tuple[str, ...]) -> _Role | None:
    """The same where each class has folders for its splits."""
    split = split_named(inside[0]) if inside else None
    return (name, split, inside[1:]) if split else None


def _split_folders(tree: Tree) -> dict[str, Split]:
    """The folders that are splits."""
    classes = {name: {class_key(video.inside[0]) for video in tree[name] if video.inside} for name in tree}
    splits = {name: split for name in tree if classes[name] and (split := split_named(name))}
    if "train" in splits.values() or len(splits) == len(tree):
        return splits
    beside = {class_key(name) for name in tree if name not in splits}
    return {name: split for name, split in splits.items() if classes[name] & beside}


def _splits_in_classes(tree: Tree) -> bool:
    """Whether every class has a folder to train with in its own."""
    return all(
        any(video.inside and split_named(video.inside[0]) == "train" for video in videos)
        for videos in tree.values()
    )


def _classes_like_splits(tree: Tree, splits: dict[str, Split]) -> Iterator[str]:
    if "train" not in splits.values():
        for name in tree:
            if name not in splits and split_named(name):
                yield f"{name}/ is read as a class and not as a split, because of where its videos lie"


def _nested(paths: list[Path]) -> Iterator[str]:
    if paths:
        yield (
            f"{len(paths)} clips lie in folders below that of their class, as {paths[0]}, and are read as "
            "clips of it; if such a folder is one recording, name it in a list (`path,label,recording`)"
        )


FORMAT = Format("folders", Path.is_dir, read)
