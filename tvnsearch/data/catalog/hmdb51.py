"""HMDB51: a folder of avi files for each class, and for each class and split a list of who is in what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip
from tvnsearch.data.catalog.names import Split
from tvnsearch.data.catalog.reading import find_folder, malformed, text_lines
from tvnsearch.errors import UserError

LIST_FOLDERS = ("splits", "testTrainMulti_7030_splits", "test_train_splits")
VIDEO_FOLDERS = ("videos", "hmdb51_org")

SPLITS: dict[str, Split | None] = {"0": None, "1": "train", "2": "test"}
"""What the number behind a file's name means; files of 0 are not in this split."""


def read(root: Path, split: int) -> Listing:
    """Read `<class>_test_split<split>.txt` of every class; the videos are `videos/<class>/<name>.avi`.

    Raises UserError when there are no lists or a line is malformed.
    """
    lists = _lists(root, split)
    if not lists:
        raise UserError(
            f"expected the lists <class>_test_split{split}.txt in {root} or in its folder {LIST_FOLDERS[0]}, "
            "but there are none; unpack the archive of splits there"
        )
    videos = find_folder(root, VIDEO_FOLDERS)
    left_out: Counter[str] = Counter()
    clips = [clip for name, path in lists.items() for clip in _clips(path, videos / name, name, left_out)]
    return Listing(clips, tuple(lists), multi_label=False, mirrorable=True, left_out=left_out)


def _lists(root: Path, split: int) -> dict[str, Path]:
    ending = f"_test_split{split}.txt"
    found = find_folder(root, LIST_FOLDERS).glob(f"*{ending}")
    return {path.name.removesuffix(ending): path for path in sorted(found)}


def _clips(path: Path, folder: Path, label: str, left_out: Counter[str]) -> Iterator[NamedClip]:
    for line, text in text_lines(path):
        file, _, number = text.rpartition(" ")
        if not file or number not in SPLITS:
            raise malformed(path, line, "`name.avi 0`, 1 or 2", f"is '{text}'")
        split = SPLITS[number]
        if split is None:
            left_out["clips that this split does not use"] += 1
        else:
            # "<recording>_<class>_<what is seen>_<number>.avi": one recording gave several clips.
            recording = file.partition(f"_{label}_")[0]
            yield NamedClip(folder / file.strip(), (label,), split, recording=f"{label}/{recording}")


FORMAT = Format("hmdb51", lambda root: bool(_lists(root, 1)), read, splits=3)
