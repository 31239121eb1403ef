"""Files that hold the same, in different splits: a network is scored on what it has learnt then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tvnsearch.data.dataset import Clip
from tvnsearch.data.manifest import StoredFile


def copies_across(
    splits: Mapping[str, Sequence[Clip]], stored: Mapping[Path, StoredFile]
) -> dict[Path, Path]:
    """Each file that has the content of one in a split before its own, and that one."""
    first_of: dict[str, tuple[str, Path]] = {}
    copies: dict[Path, Path] = {}
    for name, clips in splits.items():
        for clip in clips:
            if clip.path in stored:
                first_split, first = first_of.setdefault(stored[clip.path].content, (name, clip.path))
                if first_split != name and first != clip.path:
                    copies[clip.path] = first
    return copies
