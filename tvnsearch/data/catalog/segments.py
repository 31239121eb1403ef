"""Clips from a long video whose actions are listed with their times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from tvnsearch.data.catalog.listing import NamedClip
from tvnsearch.data.catalog.names import Split

COVERED = 0.5
"""Share of a clip that another action must cover to be one of its labels."""


class Action(Struct, frozen=True):
    """What is done in a video, from `start_s` to `end_s` seconds after its beginning."""

    label: str
    start_s: float
    end_s: float


def segment_clips(path: Path, actions: Sequence[Action], split: Split, recording: str) -> Iterator[NamedClip]:
    """One clip for each distinct time of an action, labelled with every action that covers half of it.

    An action that lasts no time is no clip.
    """
    for start_s, end_s in sorted({(action.start_s, action.end_s) for action in actions}):
        if end_s > start_s:
            labels = {
                action.label
                for action in actions
                if min(end_s, action.end_s) - max(start_s, action.start_s) >= COVERED * (end_s - start_s)
            }
            yield NamedClip(path, tuple(sorted(labels)), split, start_s, end_s, recording)
