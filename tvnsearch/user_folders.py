"""Folders of the user's own, also where the user has no home, as in many containers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

NAME = "tvnsearch"


def user_folder(find: Callable[[str], Path]) -> Path | None:
    """The folder of this program that ``find``, of platformdirs, tells; None for a user without a home."""
    try:
        folder = find(NAME)
    except RuntimeError:  # older versions give a path with the ``~`` in it instead
        return None
    return folder if folder.is_absolute() else None


def user_folder_or_temporary(find: Callable[[str], Path], name: str) -> Path:
    """The folder ``name`` in that, or a temporary one for this user where it cannot be made."""
    home = user_folder(find)
    if home is not None and _can_be_made(home / name):
        return home / name
    return Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}" / name


def _can_be_made(folder: Path) -> bool:
    nearest = folder
    while not os.access(nearest, os.F_OK) and nearest != nearest.parent:
        nearest = nearest.parent
    return os.access(nearest, os.W_OK)
