"""Data sets as they lie on disk: one file a layout, recognised by `open_dataset`."""

from __future__ import annotations

from pathlib import Path

from tvnsearch.data.catalog import class_folders, csv_list
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError

CSV_NAME = "clips.csv"


def open_dataset(path: Path, seed: int = 0) -> Dataset:
    """Open a folder of class folders, a csv list, or a folder that holds a list called `clips.csv`.

    Nothing is decoded. `seed` decides the split where the data come without one.

    Raises UserError when nothing is there, no video or only one class is found, or a row is malformed.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        listed = path / CSV_NAME
        return (
            csv_list.open_csv_list(listed, seed)
            if listed.is_file()
            else class_folders.open_class_folders(path, seed)
        )
    if path.is_file():
        if path.suffix.lower() != ".csv":
            raise UserError(
                f"expected a folder of class folders or a .csv list of clips, but {path} is neither; "
                "give the folder that holds the clips"
            )
        return csv_list.open_csv_list(path, seed)
    raise UserError(
        f"expected a folder of clips or a .csv list, but nothing is at {path}; check the path to the data"
    )


__all__ = ["CSV_NAME", "open_dataset"]
