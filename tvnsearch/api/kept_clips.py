"""The clips that a run was begun with, kept in its folder: with others its scores mean something else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing
from tvnsearch.search.run_folder import clips_path

if TYPE_CHECKING:
    from tvnsearch.data.dataset import Clip, Dataset

Splits = dict[str, list[str]]
"""Clips by the name of their split, each by its place in the data set and the part of its file."""

SHOWN = 3


def keep_clips(run: Path, dataset: Dataset) -> None:
    """Write down which clips a run has, in which split, unless that is there.

    Raises:
        UserError: that cannot be written.
    """
    path = clips_path(run)
    if path.is_file():
        return
    with writing(path, "and the same command goes on"):
        write_whole(path, msgspec.json.encode(_splits_of(dataset)))


def check_clips(run: Path, dataset: Dataset) -> None:
    """Refuse clips that are not those of the run: what was trained on may be tested on by now.

    Raises:
        UserError: some came, went, or are of another split, and are named.
    """
    path = clips_path(run)
    if not path.is_file():
        return
    try:
        known = msgspec.json.decode(path.read_bytes(), type=Splits)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"expected the clips of the run in {path}, but that cannot be read ({error}); restore the file, "
            "or begin a new run"
        ) from None
    before, now = (
        {clip: split for split, clips in splits.items() for clip in clips}
        for splits in (known, _splits_of(dataset))
    )
    different = {
        "came": [clip for clip in now if clip not in before],
        "went": [clip for clip in before if clip not in now],
        "are of another split": [clip for clip in now if clip in before and now[clip] != before[clip]],
    }
    if not any(different.values()):
        return
    told = ", and ".join(
        f"{len(clips)} {what} ({', '.join(clips[:SHOWN])}{', ...' if len(clips) > SHOWN else ''})"
        for what, clips in different.items()
        if clips
    )
    raise UserError(
        f"expected the {len(before)} clips that the run {run} was begun with in {dataset.address}, but since "
        f"then {told}; restore them, say where they are by --data, or begin a new run"
    )


def _splits_of(dataset: Dataset) -> Splits:
    return {split: [_name(clip, dataset.root) for clip in clips] for split, clips in dataset.splits.items()}


def _name(clip: Clip, root: Path) -> str:
    name = os.fsencode(os.path.relpath(clip.path, root)).decode(errors="backslashreplace")
    if clip.start_s == 0.0 and clip.end_s is None:
        return name
    return f"{name}:{clip.start_s:g}-{'' if clip.end_s is None else f'{clip.end_s:g}'}"
